// Draws the live graphs of a page, and fills the tables that say the same.
//
//   <section data-graphs="120">                     how many seconds are shown
//     <figure data-graph="traffic" data-key="lan">  traffic (of the interface data-key), states, sync, lag
//
// The first figures come from REST, one more each second with the event "gemel:figures" (live.js).
(() => {
  "use strict";
  const scaled = (value, units, step) => {
    let power = 0;
    while (Math.abs(value) >= step && power < units.length - 1) { value /= step; power += 1; }
    return `${value >= 100 || Number.isInteger(value) ? Math.round(value) : value.toFixed(1)} ${units[power]}`;
  };
  const eight = (octets) => octets?.map((n) => n * 8);
  const bits = (n) => scaled(n, ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"], 1000);
  const count = (n) => scaled(n, ["", "k", "M"], 1000).trim();
  const rate = (n) => `${count(n)}/s`;
  const ms = (n) => `${n < 10 ? n.toFixed(1) : Math.round(n)} ms`;

  // name -> how a value is said, the least top of its axis, and its series: label, which figures. Told apart by dashes as well as
  // by colour.
  const KINDS = {
    traffic: { say: bits, least: 1000, series: (key) => [["In", (f) => eight(f.received?.[key])], ["Out", (f) => eight(f.sent?.[key])]] },
    states: { say: count, least: 4, series: () => [["States", (f) => f.states]] },
    sync: { say: rate, least: 4, series: () => [["Sent", (f) => f.out], ["Received", (f) => f.into]] },
    lag: { say: ms, least: 1, series: () => [["Lag", (f) => f.lag_ms]] },
  };

  const style = (name, fallback) => getComputedStyle(document.documentElement).getPropertyValue(name).trim() || fallback;
  const dark = () => document.documentElement.getAttribute("data-bs-theme") === "dark";
  const time = (seconds) => new Date(seconds * 1000).toLocaleTimeString("sv");

  class Graph {
    constructor(figure, seconds) {
      this.figure = figure;
      this.seconds = seconds;
      this.kind = KINDS[figure.dataset.graph];
      this.series = this.kind.series(figure.dataset.key);
      this.data = [[], ...this.series.map(() => [])];
      this.plot = null;
      this.details = figure.querySelector("details");
      this.details.addEventListener("toggle", () => this.fill());
      new ResizeObserver(() => this.resize()).observe(figure.querySelector("[data-plot]"));
    }

    // Take all values of a report over from `at`, its end; `whole`: nothing else was before.
    take(figures, at, whole) {
      if (whole) this.data = [[], ...this.series.map(() => [])];
      const last = this.data[0].at(-1) ?? 0;
      (figures.age || []).forEach((age, i) => {
        const when = Math.round((at - age) * 10) / 10;
        if (!whole && when <= last) return;
        this.data[0].push(when);
        this.series.forEach(([, pick], n) => this.data[n + 1].push(pick(figures)?.[i] ?? null));
      });
      const oldest = at - this.seconds;
      while (this.data[0].length && this.data[0][0] < oldest) this.data.forEach((values) => values.shift());
    }

    draw() {
      const said = this.series.map(([label], n) => {
        const value = this.data[n + 1].at(-1);
        return value === null || value === undefined ? null : `${this.series.length > 1 ? `${label} ` : ""}${this.kind.say(value)}`;
      });
      this.figure.querySelector("[data-now]").textContent = said.filter(Boolean).join(", ") || "–";
      if (this.plot) {
        this.plot.setData(this.data, false);
        const end = this.data[0].at(-1) ?? Date.now() / 1000;
        this.plot.setScale("x", { min: end - this.seconds, max: end });
      } else this.make();
      if (this.details.open) this.fill();
    }

    make() {
      const place = this.figure.querySelector("[data-plot]");
      if (!place.clientWidth) return;
      const ink = style("--tblr-body-color", "#888"), line = dark() ? "#34435a" : "#dfe3e8";
      const colours = dark() ? ["#5eb1ff", "#ffb454"] : ["#0b62b0", "#b54708"];
      const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 }, font: "12px system-ui, sans-serif" };
      const end = this.data[0].at(-1) ?? Date.now() / 1000;
      this.plot = new uPlot({
        width: place.clientWidth, height: 160, cursor: { y: false, drag: { x: false, y: false } }, legend: { show: false }, padding: [10, 26, 0, 0],
        scales: { x: { time: true, range: (u, low, high) => [low, high] }, y: { range: (u, low, high) => [0, Math.max(high * 1.1, this.kind.least)] } },
        axes: [
          { ...axis, space: 90, size: 28, values: (u, ticks) => ticks.map((t) => (end && time(t))) },
          { ...axis, size: 78, values: (u, ticks) => ticks.map((t) => this.kind.say(t)) },
        ],
        series: [{}, ...this.series.map(([label], n) => ({
          label, stroke: colours[n], width: 2, dash: n ? [6, 3] : undefined, fill: n ? undefined : `${colours[n]}22`, points: { show: false },
        }))],
      }, this.data, place);
      this.plot.setScale("x", { min: end - this.seconds, max: end });
    }

    resize() {
      const width = this.figure.querySelector("[data-plot]").clientWidth;
      if (!width) return;
      if (!this.plot) this.make();
      else if (Math.abs(this.plot.width - width) > 1) this.plot.setSize({ width: width - 1, height: 160 });
    }

    repaint() {
      this.plot?.destroy();
      this.plot = null;
      this.make();
    }

    fill() {
      if (!this.details.open) return;
      const head = this.details.querySelector("thead"), body = this.details.querySelector("tbody");
      const row = (kind, texts) => {
        const tr = document.createElement("tr");
        texts.forEach((text) => tr.append(Object.assign(document.createElement(kind), { textContent: text })));
        return tr;
      };
      head.replaceChildren(row("th", ["Time", ...this.series.map(([label]) => label)]));
      const rows = [];
      for (let i = this.data[0].length - 1; i >= 0 && rows.length < 60; i -= 1) {
        rows.push(row("td", [time(this.data[0][i]), ...this.series.map((_, n) => {
          const value = this.data[n + 1][i];
          return value === null || value === undefined ? "–" : this.kind.say(value);
        })]));
      }
      body.replaceChildren(...rows);
    }
  }

  document.addEventListener("DOMContentLoaded", () => {
    const section = document.querySelector("[data-graphs]");
    if (!section || !window.uPlot) return;
    const seconds = Number(section.dataset.graphs);
    const graphs = [...section.querySelectorAll("[data-graph]")].map((figure) => new Graph(figure, seconds));
    let at = 0, loading = false, waiting = false;
    const draw = () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; graphs.forEach((graph) => graph.draw()); });
    };
    const load = async () => {
      if (loading) return;
      loading = true;
      try {
        const answer = await fetch(`/api/v1/facts/graphs?seconds=${seconds}`, { headers: { "X-Gemel-Watching": "1" } });
        if (answer.ok) {
          const figures = await answer.json();
          at = Date.now() / 1000;
          graphs.forEach((graph) => graph.take(figures, at, true));
          draw();
        }
      } finally { loading = false; }
    };
    document.addEventListener("gemel:figures", (event) => {
      const now = event.detail.at;
      if (loading) return;
      if (now - at > 5 || now < at - 5) { load(); at = now; return; }
      at = now;
      graphs.forEach((graph) => graph.take(event.detail, now, false));
      if (!document.hidden) draw();
    });
    document.addEventListener("visibilitychange", () => { if (!document.hidden) draw(); });
    new MutationObserver(() => graphs.forEach((graph) => graph.repaint())).observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
    load();
  });
})();
