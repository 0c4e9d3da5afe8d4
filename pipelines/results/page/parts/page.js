"use strict";
// The page: its sections, the chosen trial, and news while a search runs.

const page = { content: null, trials: new Trials({}), chosen: null };
const figures = new Figures((row) => choose(row));
const table = new TrialTable((row) => choose(row));

// Draw a page, or the same one with news: what is looked at stays where it is.
function update(content) {
  const id = page.chosen === null ? null : page.trials.content.ids[page.chosen];
  page.content = content;
  page.trials = new Trials(content.trials);
  const kept = id === null ? -1 : page.trials.row(id);
  page.chosen = kept >= 0 ? kept : content.trials.best ?? null;
  document.title = content.title;
  document.querySelector("h1").textContent = content.title;
  for (const name of ["subtitle", "state"]) document.getElementById(name).textContent = content[name];
  const main = document.querySelector("main");
  const wanted = new Set(content.sections.map((section) => section.id));
  for (const old of [...main.children]) if (!wanted.has(old.id)) old.remove();
  content.sections.forEach((section, i) => {
    const node = document.getElementById(section.id) || newSection(section);
    if (main.children[i] !== node) main.insertBefore(node, main.children[i] || null);
    fill(node, section);
  });
  document.querySelector("nav").replaceChildren(
    ...content.sections.map((section) => element("a", { href: `#${section.id}` }, section.title)));
  if (page.trials.n) table.put(page.trials, page.chosen);
  figures.show(page.trials, page.chosen);
  showChosen();
}

function newSection(section) {
  return element("section", { id: section.id }, element("h2"), element("div", { class: "text" }),
    element("div", { class: "figures" }));
}

function fill(node, section) {
  const [title, text, place] = node.children;
  title.textContent = section.title;
  if (text.dataset.html !== section.html) {
    text.innerHTML = section.html; // made by the page's own templates, which escape every word
    text.dataset.html = section.html;
  }
  const wanted = new Set(section.figures.map((figure) => `figure-${figure.id}`));
  for (const old of [...place.children]) if (!wanted.has(old.id)) old.remove();
  for (const drawing of section.figures) {
    let frame = document.getElementById(`figure-${drawing.id}`);
    if (!frame) {
      frame = element("figure", { id: `figure-${drawing.id}`, class: drawing.wide ? "wide" : "" },
        element("div", { class: "plot", style: `height: ${drawing.height}px` }), element("figcaption"));
      place.append(frame);
    }
    frame.lastChild.textContent = drawing.caption;
    figures.put(frame.firstChild, drawing);
  }
  if (section.table && table.node.parentNode !== node) node.append(table.node);
}

function choose(row) {
  page.chosen = row === page.chosen ? null : row;
  figures.show(page.trials, page.chosen);
  table.show(page.chosen);
  showChosen();
}

function showChosen() {
  const aside = document.getElementById("chosen");
  const row = page.chosen;
  aside.hidden = row === null || !page.trials.n;
  if (aside.hidden) return;
  const { columns, content } = page.trials;
  const facts = columns.map((column) => [column.name, words(page.trials.value(column, row))]).filter(([, value]) => value);
  const { epochs, metrics } = page.trials.curve(row);
  const names = Object.keys(metrics);
  const open = aside.querySelector("details")?.open || false;
  const details = element("details", {},
    element("summary", {}, element("b", {}, `Trial ${row}`), " ",
      facts.map(([name, value]) => `${name} ${value}`).join(" · ")),
    element("div", { class: "inside" },
      element("p", {}, content.why[row] || ""),
      element("dl", { class: "facts" }, ...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))),
      content.errors[row] ? element("pre", {}, content.errors[row]) : null,
      epochs.length ? element("div", { class: "scroll" }, element("table", {},
        element("thead", {}, element("tr", {}, ...["epoch", ...names].map((name) => element("th", {}, name)))),
        element("tbody", {}, ...epochs.map((epoch, i) => element("tr", {}, element("td", {}, String(epoch)),
          ...names.map((name) => element("td", {}, words(metrics[name][i])))))))) : null));
  details.open = open;
  aside.replaceChildren(details,
    element("button", { type: "button", "aria-label": "Choose none", onclick: () => choose(row) }, "×"));
}

function recolour(printing) {
  document.body.classList.toggle("print", printing);
  figures.redraw();
  figures.drawAll();
}

async function poll(address) {
  try {
    const answer = await fetch(address, { cache: "no-store" });
    if (answer.ok) update(await answer.json());
    else throw new Error(String(answer.status));
  } catch (error) {
    document.getElementById("state").textContent = `No news since ${new Date().toLocaleTimeString()}: ${error.message}`;
  }
  setTimeout(() => poll(address), 2000);
}

update(JSON.parse(document.getElementById("page-data").textContent));
addEventListener("beforeprint", () => recolour(true));
addEventListener("afterprint", () => recolour(false));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => figures.redraw());
const live = JSON.parse(document.getElementById("live").textContent);
if (live) setTimeout(() => poll(live), 2000);
