"use strict";
// Reading arrays in Plotly's format, and writing numbers for people.

const KINDS = {
  f8: Float64Array, f4: Float32Array, i4: Int32Array, u4: Uint32Array,
  i2: Int16Array, u2: Uint16Array, i1: Int8Array, u1: Uint8Array,
};

function decoded(value) {
  if (!value || !value.bdata || value.shape) return value;
  const bytes = Uint8Array.from(atob(value.bdata), (c) => c.charCodeAt(0));
  return new KINDS[value.dtype](bytes.buffer);
}

// A number as text. `is` says what it is: a "score", a "count", or something else.
function words(value, is) {
  if (typeof value !== "number") return value === null || value === undefined ? "" : String(value);
  if (Number.isNaN(value)) return "";
  if (is === "count") return value.toLocaleString("en-US");
  if (is === "score" && Number.isFinite(value)) return scoreWords(value);
  return Number.isInteger(value) || !Number.isFinite(value) ? String(value) : shortWords(value, 1e4);
}

// Four significant digits, as `.4g` writes them in Python; with an exponent from `most` on.
function shortWords(value, most) {
  const short = Number(value.toPrecision(4)), size = Math.abs(short);
  if (size >= 1e-4 && size < most) return String(short);
  return short.toExponential().replace(/([+-])(\d)$/, (_, sign, digit) => `${sign}0${digit}`);
}

// As shown_score in scores.py writes a score.
function scoreWords(value) {
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-3 && size < 1e6)) {
    return rounded(value, Math.max(0, 5 - rounded(size, 0).length));
  }
  return shortWords(value, 1);
}

// Rounds a half to the even digit, as Python does; toFixed rounds it up.
function rounded(value, digits) {
  const exact = value.toFixed(100), end = exact.indexOf(".") + (digits ? digits + 1 : 0);
  const isHalf = /^\.?50*$/.test(exact.slice(end));
  return isHalf && /[02468]\.?$/.test(exact.slice(0, end)) ? exact.slice(0, end) : value.toFixed(digits);
}

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "class") made.className = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

// The value of a trial in a column.
function valueOf(column, row) {
  const value = column.values[row];
  if (!column.options) return value;
  return value < 0 ? undefined : column.options[value];
}

function wordsOf(column, row) { return words(valueOf(column, row), column.is); }

// The trials, column by column: what trials.py wrote.
class Trials {
  constructor(content) {
    this.content = content;
    this.n = content.n || 0;
    this.columns = (content.columns || []).map((column) => ({
      ...column, values: decoded(column.values),
    }));
    this.lengths = decoded(content.lengths) || [];
    this.starts = [];
    let start = 0;
    for (let i = 0; i < this.n; i += 1) { this.starts.push(start); start += this.lengths[i]; }
    this.curves = {};
    for (const [name, values] of Object.entries(content.curves || {})) {
      this.curves[name] = decoded(values);
    }
    this.epochs = decoded(content.epochs) || [];
    this.scores = new Set(content.scores);
  }

  row(id) { return (this.content.ids || []).lastIndexOf(id); }

  // What a trial reported: its epochs, and each metric's values there.
  curve(row) {
    const start = this.starts[row];
    const end = start + this.lengths[row];
    const found = { epochs: Array.from(this.epochs.slice(start, end)), metrics: {} };
    for (const [name, values] of Object.entries(this.curves)) {
      const some = Array.from(values.slice(start, end));
      if (some.some((value) => !Number.isNaN(value))) found.metrics[name] = some;
    }
    return found;
  }
}
