"use strict";
// Each figure in its place, in the colours of the page, with the chosen trial on it.

const CHOSEN = "#e6007e";
const NARROW = 375, LEGEND_LINE = 19, FEW_ENTRIES = 4; // pixels, pixels, and entries that fit
const CONFIG = {
  displaylogo: false, modeBarButtonsToRemove: ["lasso2d", "select2d"],
  displayModeBar: matchMedia("(hover: hover)").matches ? "hover" : false,
};

class Figures {
  constructor(choose) {
    this.choose = choose;
    this.drawn = new Map(); // by id: its place, what it is drawn from, whether it is drawn
    this.waiting = [];
    this.sizes = new ResizeObserver(() => this.redraw((figure) => figure.width !== figure.place.clientWidth));
  }

  put(place, drawing) {
    const key = JSON.stringify([drawing.data, drawing.layout]);
    const known = this.drawn.get(drawing.id);
    if (known && known.key === key && known.place === place) return;
    const data = drawing.data.map((trace) => ({
      ...trace, x: decoded(trace.x), y: decoded(trace.y), base: decoded(trace.base),
      customdata: decoded(trace.customdata),
    }));
    for (const trace of data) {
      for (const name of ["x", "y", "base", "customdata"]) {
        if (trace[name] === undefined) delete trace[name];
      }
    }
    this.drawn.set(drawing.id, { ...drawing, data, key, place, ready: known ? known.ready : false });
    this.sizes.observe(place);
    this.waiting.push(drawing.id);
    if (this.waiting.length === 1) setTimeout(() => this.next());
  }

  // Draw one figure at a time, so that the page can be used meanwhile.
  next() {
    const id = this.waiting.shift();
    try {
      if (id !== undefined) this.draw(id);
    } finally { // a figure that fails keeps no other from being drawn
      if (this.waiting.length) setTimeout(() => this.next());
      else document.body.dataset.drawn = "yes";
    }
  }

  // What a legend with a line for each entry takes from a narrow figure, beyond a few entries.
  legendOf({ width, layout }, data) {
    if (width >= NARROW || !layout.showlegend) return 0;
    const entries = data.filter((trace) => trace.name && trace.showlegend !== false).length;
    return LEGEND_LINE * Math.max(0, entries - FEW_ENTRIES);
  }

  drawAll() { while (this.waiting.length) this.draw(this.waiting.shift()); }

  draw(id) {
    const figure = this.drawn.get(id);
    if (!figure || !figure.place.isConnected) return;
    const layout = { ...figure.layout, ...this.colours(figure.layout), uirevision: "kept" };
    // By itself Plotly writes into a cell that lets the paper through as if the paper were white.
    const data = this.withChosen(figure).map((trace) =>
      trace.type === "heatmap" ? { ...trace, textfont: { color: layout.font.color } } : trace);
    figure.width = figure.place.clientWidth;
    layout.height = figure.height + this.legendOf(figure, data);
    figure.place.style.height = `${layout.height}px`;
    layout.width = figure.width || undefined;
    if (figure.role === "chosen" && this.row !== undefined && this.row !== null) {
      const { epochs } = this.trials.curve(this.row);
      layout.xaxis.dtick = epochs[epochs.length - 1] < 10 ? 1 : null; // no half epochs
      const text = `This page has no curve of trial ${this.row}.`;
      layout.annotations = epochs.length ? [] : [{ text, showarrow: false, xref: "paper", yref: "paper", x: 0.5, y: 0.5 }];
    }
    Plotly.react(figure.place, data, layout, CONFIG);
    for (const button of figure.place.querySelectorAll(".modebar-btn")) button.tabIndex = -1; // not visible
    if (figure.ready) return;
    figure.ready = true;
    figure.place.on("plotly_click", (event) => {
      const row = event.points.map((point) => point.customdata).find((n) => Number.isInteger(n));
      if (row !== undefined) this.choose(row);
    });
  }

  // Figures that have changed are drawn by put(). This draws the others again, with the chosen trial.
  redraw(isMeant = () => true) {
    for (const [id, figure] of this.drawn) {
      if (!this.waiting.includes(id) && isMeant(figure)) this.waiting.push(id);
    }
    setTimeout(() => this.next());
  }

  show(trials, row) {
    const same = this.row === row && this.shown === JSON.stringify(row === null ? null : trials.curve(row));
    this.trials = trials;
    this.row = row;
    if (same) return;
    this.shown = JSON.stringify(row === null ? null : trials.curve(row));
    this.redraw();
  }

  withChosen(figure) {
    if (!figure.role || this.row === undefined || this.row === null) return figure.data;
    if (figure.role === "chosen") return this.curvesOfChosen();
    const points = figure.role === "curves" ? this.curveOfChosen() : this.pointsOf(figure.data);
    if (!points.x.length) return figure.data;
    return [...figure.data, {
      ...points, type: "scatter", mode: points.lines ? "lines+markers" : "markers",
      customdata: points.x.map(() => this.row), name: `trial ${this.row}`, showlegend: true,
      line: { color: CHOSEN, width: 2.5 }, hoverinfo: "skip",
      marker: { color: CHOSEN, size: points.lines ? 5 : 12, symbol: points.lines ? "circle" : "circle-open", line: { width: 3, color: CHOSEN } },
    }];
  }

  pointsOf(data) {
    const found = { x: [], y: [], lines: false };
    for (const trace of data) {
      if (!trace.customdata) continue;
      for (let i = 0; i < trace.customdata.length; i += 1) {
        if (trace.customdata[i] !== this.row) continue;
        if (trace.base) {
          found.x.push(trace.base[i] + trace.x[i] / 2);
          found.y.push(trace.y[i]);
        } else if (!Number.isNaN(trace.x[i])) {
          found.x.push(trace.x[i]);
          found.y.push(trace.y[i]);
        }
      }
      if ((trace.mode || "").includes("lines") && found.x.length > 1) found.lines = true;
    }
    return found;
  }

  curveOfChosen() {
    const { epochs, metrics } = this.trials.curve(this.row);
    const y = metrics[this.trials.content.metric];
    return y ? { x: epochs, y, lines: true } : { x: [], y: [], lines: true };
  }

  curvesOfChosen() {
    const { epochs, metrics } = this.trials.curve(this.row);
    const palette = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
    const names = Object.keys(metrics).filter((name) => !["lr", "momentum", "seconds"].includes(name));
    const bare = (name) => name.replace(/^(train|val)_/, "");
    const shown = (name) => (name.includes("loss") && !name.endsWith("_std")) || bare(name) === bare(this.trials.content.metric);
    const escaped = (name) => name.replaceAll("&", "&amp;").replaceAll("<", "&lt;"); // Plotly reads markup
    return names.map((name, i) => ({
      type: "scatter", x: epochs, y: metrics[name], name: escaped(name), visible: shown(name) ? true : "legendonly",
      mode: epochs.length === 1 ? "markers" : "lines", yaxis: name.includes("loss") ? "y2" : "y",
      line: { color: palette[i % palette.length], dash: name.startsWith("train") ? "dot" : "solid", width: 2 },
      hovertemplate: "epoch %{x}: %{y:.5~g}",
    }));
  }

  colours(layout) {
    const style = getComputedStyle(document.body);
    const [ink, grid] = ["--ink", "--grid"].map((name) => style.getPropertyValue(name).trim());
    const found = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: ink, family: "system-ui, sans-serif", size: 12 },
      hoverlabel: { font: { family: "system-ui, sans-serif" } },
      legend: { ...layout.legend, bgcolor: "rgba(0,0,0,0)" },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: grid, activecolor: ink },
    };
    for (const name of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) {
      found[name] = { gridcolor: grid, zerolinecolor: grid, linecolor: grid, automargin: true, ...layout[name] };
    }
    return found;
  }
}
