"use strict";
// All trials in a table: a click on a column head sorts, words filter. Rows are made when shown.

const ROWS = 50;
const TEST = /^([^\s<>=!]+)\s*(<=|>=|!=|=|<|>)\s*/;

// A test whether a row passes, from words such as `lr < 0.01 policy=cosine stopped` in upper or
// lower case, and the problems: words that cannot be understood.
function filterOf(columns, searchable, text) {
  const tests = [], problems = [];
  for (let rest = text.trim(); rest;) {
    const match = TEST.exec(rest);
    const column = match && columns.find((c) => c.name.toLowerCase() === match[1].toLowerCase());
    if (match) rest = rest.slice(match[0].length);
    const word = (column && optionIn(column, rest)) || /^\S*/.exec(rest)[0];
    rest = rest.slice(word.length).trimStart();
    if (!match) tests.push((row) => searchable(row).includes(word.toLowerCase()));
    else if (!column) problems.push(`no column ${match[1]}`);
    else if (word) {
      const problem = problemOf(column, match[2], word);
      if (problem) problems.push(problem);
      else tests.push(testOf(column, match[2], word));
    }
  }
  return { passes: (row) => tests.every((test) => test(row)), problems };
}

// The option that the text begins with; an option may contain blanks.
function optionIn(column, text) {
  const begins = (column.options || []).map(String).filter((option) =>
    text.toLowerCase().startsWith(option.toLowerCase()) && !/\S/.test(text[option.length] || ""));
  return begins.sort((a, b) => b.length - a.length)[0];
}

// Why the word can be compared with no value of the column; "" if it can.
function problemOf(column, sign, word) {
  if (!column.options || !["=", "!="].includes(sign)) return Number.isNaN(Number(word)) ? `${word} is no number` : "";
  return column.options.some((option) => isSame(option, word)) ? "" : `${column.name} has no option ${word}`;
}

// Also numbers that are written in two ways, such as 0.01 and 1e-2.
function isSame(text, word) {
  return text.toLowerCase() === word.toLowerCase() || (text.trim() !== "" && Number(text) === Number(word));
}

function testOf(column, sign, word) {
  const number = Number(word);
  return (row) => {
    const value = valueOf(column, row);
    if (value === undefined || value === null || Number.isNaN(value)) return false;
    const equal = value === number || isSame(wordsOf(column, row), word);
    if (sign === "=") return equal;
    if (sign === "!=") return !equal;
    return { "<": value < number, "<=": value <= number, ">": value > number, ">=": value >= number }[sign];
  };
}

class TrialTable {
  constructor(choose) {
    this.choose = choose;
    this.sorted = { column: "trial", up: true };
    this.shown = ROWS;
    this.columns = [];
    this.filter = element("input", {
      type: "search", placeholder: "lr<0.01 policy=cosine stopped", "aria-label": "Filter",
      oninput: () => { this.shown = ROWS; this.fill(); },
    });
    this.fate = element("select", { "aria-label": "State", onchange: () => { this.shown = ROWS; this.fill(); } });
    this.count = element("span", { class: "note", role: "status" });
    this.head = element("tr");
    this.body = element("tbody");
    this.more = element("button", { type: "button", onclick: () => { this.shown += 10 * ROWS; this.fill(); } }, "Show more");
    this.node = element("div", { class: "trials" },
      element("p", { class: "controls" }, this.filter, " ", this.fate, " ", this.count),
      element("div", { class: "scroll" }, element("table", {}, element("thead", {}, this.head), this.body)), this.more);
  }

  put(trials, row) {
    this.trials = trials;
    this.row = row;
    const names = (columns) => columns.map((column) => column.name).join("\n");
    const before = names(this.columns);
    this.columns = [{ name: "trial", values: Array.from({ length: trials.n }, (_, n) => n) }, ...trials.columns];
    if (names(this.columns) !== before) {
      this.head.replaceChildren(...this.columns.map((column) => element("th", {},
        element("button", { type: "button", onclick: () => this.sort(column.name) }))));
    }
    const fates = this.columns.find((column) => column.name === "state");
    const fate = this.fate.value;
    const options = ["", ...((fates && fates.options) || [])];
    this.fate.replaceChildren(...options.map((name) => element("option", { value: name }, name || "all states")));
    this.fate.value = options.includes(fate) ? fate : "";
    this.fill();
  }

  sort(name) {
    this.sorted = { column: name, up: this.sorted.column === name ? !this.sorted.up : true };
    this.fill();
  }

  rows() {
    const { passes, problems } = filterOf(this.columns, (row) => this.searchable(row), this.filter.value);
    const fates = this.columns.find((column) => column.name === "state");
    const found = [];
    for (let row = 0; row < this.trials.n; row += 1) {
      if ((!this.fate.value || valueOf(fates, row) === this.fate.value) && passes(row)) found.push(row);
    }
    const column = this.columns.find((c) => c.name === this.sorted.column);
    if (column) found.sort((a, b) => this.compare(column, a, b));
    this.count.textContent = [`${found.length} of ${this.trials.n} trials`, ...problems].join("; ");
    return found;
  }

  searchable(row) {
    const told = this.columns.filter((column) => column.options).map((column) => wordsOf(column, row));
    return [...told, this.trials.content.why[row]].join(" ").toLowerCase();
  }

  // A row without a value comes last in both directions; options have the order of their column.
  compare(column, a, b) {
    const [x, y] = [column.values[a], column.values[b]];
    const [none, other] = [x, y].map((v) => Number.isNaN(v) || (column.options !== undefined && v < 0));
    if (none || other) return none - other;
    const order = x < y ? -1 : x > y ? 1 : a - b;
    return this.sorted.up ? order : -order;
  }

  fill() {
    const rows = this.rows();
    this.columns.forEach(({ name }, i) => {
      const is = this.sorted.column === name, cell = this.head.children[i];
      cell.firstChild.textContent = name + (is ? (this.sorted.up ? " ▲" : " ▼") : "");
      if (is) cell.setAttribute("aria-sort", this.sorted.up ? "ascending" : "descending");
      else cell.removeAttribute("aria-sort");
    });
    const held = this.body.contains(document.activeElement) ? document.activeElement.dataset.id : null;
    this.body.replaceChildren(...rows.slice(0, this.shown).map((row) => element("tr",
      { tabindex: 0, "data-row": row, "data-id": this.trials.content.ids[row], ...(row === this.row ? { "aria-selected": "true" } : {}),
        onclick: () => this.choose(row), onkeydown: (event) => this.press(event, row) },
      ...this.columns.map((column) => element("td", column.options ? {} : { class: "number" }, wordsOf(column, row))))));
    if (held !== null) this.focus(held);
    this.more.hidden = rows.length <= this.shown;
    this.node.dataset.shown = this.more.hidden ? "" : `The first ${this.shown} of ${rows.length} trials`;
  }

  // A row answers the keys of a button; by itself the space bar would scroll the page.
  press(event, row) {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    this.choose(row);
  }

  focus(id) {
    const row = this.trials.row(id);
    const line = [...this.body.rows].find((line) => Number(line.dataset.row) === row);
    if (line) line.focus({ preventScroll: true });
  }

  show(row) {
    this.row = row;
    for (const line of this.body.rows) {
      if (Number(line.dataset.row) === row) line.setAttribute("aria-selected", "true");
      else line.removeAttribute("aria-selected");
    }
  }
}
