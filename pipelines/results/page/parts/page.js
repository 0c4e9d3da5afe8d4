"use strict";
// The page: its sections, the chosen trial, and news while a search runs.

const page = { version: 0, misses: 0, trials: new Trials({}), chosen: null, untouched: true };
const FEW_MISSES = 3; // after more, the numbers of the search are hidden
const MOST_WAIT = 30000; // milliseconds between two questions for news
const figures = new Figures((row) => choose(row));
const table = new TrialTable((row) => choose(row));

// Draw a page, or put news into it: what a reader looks at stays in its place. In news, a section
// without changes is its id alone, and the trials may be left out.
function update(content) {
  if (content.trials) {
    const id = page.chosen === null || page.untouched ? null : page.trials.content.ids[page.chosen];
    page.trials = new Trials(content.trials);
    const kept = id === null ? -1 : page.trials.row(id);
    page.chosen = kept >= 0 ? kept : page.untouched ? content.trials.best ?? null : null;
  }
  page.version = content.version;
  document.title = content.title;
  document.querySelector("h1").textContent = content.title;
  page.state = content.state;
  for (const name of ["subtitle", "state"]) document.getElementById(name).textContent = content[name];
  const main = document.querySelector("main");
  const wanted = new Set(content.sections.map((section) => section.id));
  for (const old of [...main.children]) if (!wanted.has(old.id)) old.remove();
  content.sections.forEach((section, i) => {
    const node = document.getElementById(section.id) || newSection(section);
    if (main.children[i] !== node) main.insertBefore(node, main.children[i] || null);
    if (section.html !== undefined) fill(node, section);
  });
  showNavigation();
  if (!content.trials) return;
  if (page.trials.n) table.put(page.trials, page.chosen);
  figures.show(page.trials, page.chosen);
  showChosen();
}

function showNavigation() {
  const nav = document.querySelector("nav");
  const sections = [...document.querySelectorAll("main > section:not([hidden])")];
  const key = sections.map((section) => section.id).join(" ");
  nav.hidden = sections.length < 2;
  if (nav.dataset.key === key) return;
  nav.dataset.key = key;
  nav.replaceChildren(
    ...sections.map((section) => element("a", { href: `#${section.id}` }, section.firstChild.textContent)));
}

function newSection(section) {
  return element("section", { id: section.id }, element("h2"), element("div", { class: "text" }),
    element("div", { class: "figures" }));
}

function fill(node, section) {
  const [title, text, place] = node.children;
  title.textContent = section.title;
  if (text.dataset.html !== section.html) {
    renew(text, section.html);
    text.dataset.html = section.html;
  }
  const wanted = new Set(section.figures.map((figure) => `figure-${figure.id}`));
  for (const old of [...place.children]) if (!wanted.has(old.id)) old.remove();
  for (const drawing of section.figures) {
    let frame = document.getElementById(`figure-${drawing.id}`);
    if (!frame) {
      frame = element("figure", { id: `figure-${drawing.id}`, class: drawing.wide ? "wide" : "" },
        element("div", { class: "plot", role: "img" }), element("figcaption"));
      frame.firstChild.style.height = `${drawing.height}px`; // until it is drawn
      place.append(frame);
    }
    frame.firstChild.style.minWidth = `${drawing.least_width}px`;
    frame.firstChild.setAttribute("aria-label", nameOf(drawing, section.title));
    frame.lastChild.textContent = drawing.caption;
    figures.put(frame.firstChild, drawing);
  }
  if (section.table && table.node.parentNode !== node) node.append(table.node);
}

// What a screen reader says of a figure, which it cannot read.
function nameOf({ layout }, title) {
  const [x, y] = ["xaxis", "yaxis"].map((axis) => layout[axis]?.title?.text);
  return [title, [y, x].filter(Boolean).join(" against ")].filter(Boolean).join(": ");
}

// The HTML is made by the page's own templates, which escape every word. The focused link and the
// horizontal scroll of tables are kept.
function renew(text, html) {
  const held = text.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const lefts = [...text.querySelectorAll(".scroll")].map((table) => table.scrollLeft);
  text.innerHTML = html;
  text.querySelectorAll(".scroll").forEach((table, i) => { table.scrollLeft = lefts[i] || 0; });
  const link = held && [...text.querySelectorAll("a")].find((a) => a.getAttribute("href") === held);
  if (link) link.focus({ preventScroll: true });
}

// Until a reader chooses, the best is chosen, and its details are closed: the first click opens them.
function choose(row) {
  page.chosen = row === page.chosen && !page.untouched ? null : row;
  page.untouched = false;
  figures.show(page.trials, page.chosen);
  table.show(page.chosen);
  showChosen();
}

function showChosen() {
  const aside = document.getElementById("chosen");
  const row = page.chosen;
  aside.hidden = row === null || !page.trials.n || page.untouched;
  if (aside.hidden) return;
  const { columns, content } = page.trials;
  const facts = columns.map((column) => [column.name, wordsOf(column, row)]).filter(([, value]) => value);
  const { epochs, metrics } = page.trials.curve(row);
  const names = Object.keys(metrics);
  const open = aside.querySelector("details")?.open || false;
  const details = element("details", {},
    element("summary", {}, element("b", {}, `Trial ${row}`), ` (${content.ids[row]}) `,
      facts.map(([name, value]) => `${name} ${value}`).join(" · ")),
    element("div", { class: "inside" },
      element("p", {}, content.why[row] || ""),
      element("dl", { class: "facts" }, ...facts.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)))),
      content.told[row] ? element("pre", {}, content.told[row]) : null,
      epochs.length ? element("div", { class: "scroll" }, element("table", {},
        element("thead", {}, element("tr", {}, ...["epoch", ...names].map((name) => element("th", {}, name)))),
        element("tbody", {}, ...epochs.map((epoch, i) => element("tr", {}, element("td", {}, String(epoch)),
          ...names.map((name) => element("td", {}, words(metrics[name][i], page.trials.scores.has(name) ? "score" : "")))))))) : null));
  details.open = open;
  const held = aside.contains(document.activeElement) ? document.activeElement.localName : null;
  aside.replaceChildren(details,
    element("button", { type: "button", "aria-label": "Choose none", onclick: leave }, "×"));
  if (held) aside.querySelector(held)?.focus({ preventScroll: true });
}

// Close the details, and go back to the trial's row.
function leave() {
  const id = page.trials.content.ids[page.chosen];
  choose(page.chosen);
  table.focus(id);
}

function recolour(printing) {
  document.body.classList.toggle("print", printing);
  figures.redraw();
  figures.drawAll();
}

async function news(address) {
  const answer = await fetch(`${address}?seen=${page.version}`, { cache: "no-store" })
    .catch(() => { throw new Error("the dashboard has ended"); });
  if (!answer.ok) throw new Error(await answer.text());
  return answer.json();
}

// Ask for news each second, as long as the page is visible; less and less often while no answer comes.
async function poll(address) {
  try {
    if (!document.hidden) {
      update(await news(address));
      page.heard = new Date();
      page.misses = 0;
      showNow(true);
    }
  } catch (error) {
    page.misses += 1;
    const since = page.heard ? ` since ${page.heard.toLocaleTimeString()}` : "";
    document.getElementById("state").textContent = `${page.state} No news${since}: ${error.message}.`;
    if (page.misses > FEW_MISSES) showNow(false);
  }
  setTimeout(() => poll(address), Math.min(1000 * 2 ** page.misses, MOST_WAIT));
}

// Without news, the numbers under Now are hidden: they would look current.
function showNow(visible) {
  const node = document.getElementById("now");
  if (!node || node.hidden === !visible) return;
  node.hidden = !visible;
  showNavigation();
}

new ResizeObserver(([bar]) => document.body.style.setProperty("--bar", `${bar.target.offsetHeight}px`))
  .observe(document.getElementById("chosen"));
update(JSON.parse(document.getElementById("page-data").textContent));
addEventListener("keydown", (event) => {
  const shown = !document.getElementById("chosen").hidden;
  if (event.key === "Escape" && shown && event.target.localName !== "input") leave();
});
addEventListener("beforeprint", () => recolour(true));
addEventListener("afterprint", () => recolour(false));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => figures.redraw());
const live = JSON.parse(document.getElementById("live").textContent);
if (live) setTimeout(() => poll(live), 1000);
