"use strict";
// All trials in a table: sorted by a click on a head, filtered by words, its rows made when wanted.

const ROWS = 50;
const TEST = /^([^<>=!]+)(<=|>=|!=|=|<|>)(.*)$/;

// Whether a row passes, from words such as `lr<0.01 policy=cosine stopped`.
function filterOf(trials, text) {
  const tests = text.trim().split(/\s+/).filter(Boolean).map((word) => {
    const match = TEST.exec(word);
    const column = match && trials.columns.find((c) => c.name === match[1]);
    if (!column) return (row) => searchable(trials, row).includes(word.toLowerCase());
    const [wanted, number] = [match[3].toLowerCase(), Number(match[3])];
    return (row) => {
      const value = trials.value(column, row);
      if (value === undefined || value === null || Number.isNaN(value)) return false;
      if (match[2] === "=") return typeof value === "number" ? value === number : String(value).toLowerCase() === wanted;
      if (match[2] === "!=") return String(value).toLowerCase() !== wanted && value !== number;
      return { "<": value < number, "<=": value <= number, ">": value > number, ">=": value >= number }[match[2]];
    };
  });
  return (row) => tests.every((test) => test(row));
}

function searchable(trials, row) {
  const choices = trials.columns.filter((column) => column.options);
  const told = choices.map((column) => words(trials.value(column, row)));
  return [...told, trials.content.why[row]].join(" ").toLowerCase();
}

class TrialTable {
  constructor(choose) {
    this.choose = choose;
    this.sorted = { column: null, up: true };
    this.shown = ROWS;
    this.filter = element("input", {
      type: "search", placeholder: "lr<0.01 policy=cosine stopped", "aria-label": "Filter",
      oninput: () => { this.shown = ROWS; this.fill(); },
    });
    this.fate = element("select", { "aria-label": "State", onchange: () => { this.shown = ROWS; this.fill(); } });
    this.count = element("span", { class: "note" });
    this.head = element("thead");
    this.body = element("tbody");
    this.more = element("button", { type: "button", onclick: () => { this.shown += 10 * ROWS; this.fill(); } }, "Show more");
    this.node = element("div", { class: "trials" },
      element("p", { class: "controls" }, this.filter, " ", this.fate, " ", this.count),
      element("div", { class: "scroll" }, element("table", {}, this.head, this.body)), this.more);
  }

  put(trials, row) {
    this.trials = trials;
    this.row = row;
    const fates = trials.columns.find((column) => column.name === "state");
    const before = this.fate.value;
    const options = ["", ...((fates && fates.options) || [])];
    this.fate.replaceChildren(...options.map((name) => element("option", { value: name }, name || "all states")));
    this.fate.value = options.includes(before) ? before : "";
    this.fill();
  }

  rows() {
    const { trials } = this;
    const passes = filterOf(trials, this.filter.value);
    const fates = trials.columns.find((column) => column.name === "state");
    const found = [];
    for (let row = 0; row < trials.n; row += 1) {
      if ((!this.fate.value || trials.value(fates, row) === this.fate.value) && passes(row)) found.push(row);
    }
    const column = this.sorted.column && trials.columns.find((c) => c.name === this.sorted.column);
    return column ? found.sort((a, b) => this.compare(column, a, b)) : found;
  }

  // What has no value comes last, whichever way is up; options are in the order of their column.
  compare(column, a, b) {
    const [x, y] = [column.values[a], column.values[b]];
    const [none, other] = [x, y].map((v) => Number.isNaN(v) || (column.options !== undefined && v < 0));
    if (none || other) return none - other;
    const order = x < y ? -1 : x > y ? 1 : a - b;
    return this.sorted.up ? order : -order;
  }

  fill() {
    const { trials } = this;
    const rows = this.rows();
    this.count.textContent = `${rows.length} of ${trials.n} trials`;
    this.head.replaceChildren(element("tr", {}, ...["trial", ...trials.columns.map((c) => c.name)].map((name) => this.headOf(name))));
    this.body.replaceChildren(...rows.slice(0, this.shown).map((row) => element("tr",
      { tabindex: 0, "data-row": row, ...(row === this.row ? { "aria-selected": "true" } : {}),
        onclick: () => this.choose(row), onkeydown: (event) => { if (event.key === "Enter") this.choose(row); } },
      element("td", {}, String(row)),
      ...trials.columns.map((column) => element("td", {}, words(trials.value(column, row)))))));
    this.more.hidden = rows.length <= this.shown;
  }

  headOf(name) {
    const mark = this.sorted.column === name ? (this.sorted.up ? " ▲" : " ▼") : "";
    const sort = () => {
      const again = this.sorted.column === name;
      this.sorted = { column: name === "trial" ? null : name, up: again ? !this.sorted.up : true };
      this.fill();
    };
    return element("th", {}, element("button", { type: "button", onclick: sort }, name + mark));
  }

  show(row) {
    this.row = row;
    for (const line of this.body.rows) {
      if (Number(line.dataset.row) === row) line.setAttribute("aria-selected", "true");
      else line.removeAttribute("aria-selected");
    }
  }
}
