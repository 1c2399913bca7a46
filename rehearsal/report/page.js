(async () => {
  const packed = Uint8Array.from(atob(document.getElementById("data").textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const data = JSON.parse(await new Response(stream).text());
  const colors = ["#2b7bd6", "#e07b1a", "#2a9d62", "#b8479e", "#7d6bd8", "#c0392b", "#16a2a8", "#8a8a2a"];
  const sync = uPlot.sync("time");
  const holder = document.getElementById("plots");
  const text = () => getComputedStyle(document.body).color;
  const shown = (value, unit) => (value == null ? "" : `${+value.toPrecision(4)}${unit && " " + unit}`);

  const lines = (plot) => (u) => {
    const c = u.ctx;
    c.save();
    c.font = `${11 * devicePixelRatio}px system-ui`;
    // The axes leave their own alignment. Names stand beside each other, as limits may be close together.
    c.textAlign = "left";
    c.textBaseline = "bottom";
    let x = u.bbox.left + 4;
    for (const limit of plot.limits) {
      const y = u.valToPos(limit.value, "y", true);
      c.strokeStyle = c.fillStyle = "#d33";
      c.setLineDash([6, 4]);
      c.beginPath();
      c.moveTo(u.bbox.left, y);
      c.lineTo(u.bbox.left + u.bbox.width, y);
      c.stroke();
      c.fillText(limit.name, x, y - 2);
      x += c.measureText(limit.name).width + 12 * devicePixelRatio;
    }
    c.strokeStyle = "#8888";
    c.setLineDash([2, 3]);
    for (const marker of data.markers) {
      const x = u.valToPos(marker.at, "x", true);
      c.beginPath();
      c.moveTo(x, u.bbox.top);
      c.lineTo(x, u.bbox.top + u.bbox.height);
      c.stroke();
    }
    c.restore();
  };

  const table = (plot) => {
    const element = document.createElement("table");
    const row = (cells, kind) => {
      const line = element.appendChild(document.createElement("tr"));
      for (const cell of cells) line.appendChild(document.createElement(kind)).textContent = cell;
    };
    row([data.axis[0], ...plot.series.map((s) => s.name + (plot.unit && ` (${plot.unit})`))], "th");
    data.seconds.forEach((at, i) => row([at, ...plot.series.map((s) => shown(s.values[i], ""))], "td"));
    return element;
  };

  for (const plot of data.plots) {
    const section = holder.appendChild(document.createElement("section"));
    section.appendChild(document.createElement("h2")).textContent = plot.title;
    const axis = { stroke: text, grid: { stroke: "#8883" }, ticks: { stroke: "#8883" } };
    const values = (u, ticks) => ticks.map((value) => shown(value, plot.unit));
    const top = Math.max(0, ...plot.limits.map((limit) => limit.value));
    const drawn = new uPlot(
      {
        width: holder.clientWidth,
        height: 220,
        cursor: { sync: { key: sync.key } },
        scales: { x: { time: false }, y: { range: (u, low, high) => [Math.min(0, low), Math.max(high, top) * 1.1 || 1] } },
        axes: [{ ...axis, values: (u, ticks) => ticks.map((at) => `${at} ${data.axis[1]}`) }, { ...axis, values, size: 80 }],
        series: [
          { label: data.axis[0] },
          ...plot.series.map((s, i) => ({
            label: s.name,
            stroke: colors[i % colors.length],
            width: 1.5,
            spanGaps: true,
            value: (u, value) => shown(value, plot.unit),
          })),
        ],
        hooks: { draw: [lines(plot)] },
      },
      [data.seconds, ...plot.series.map((s) => s.values)],
      section,
    );
    addEventListener("resize", () => drawn.setSize({ width: holder.clientWidth, height: 220 }));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.redraw());
    const details = section.appendChild(document.createElement("details"));
    details.appendChild(document.createElement("summary")).textContent = "Table";
    const wide = details.appendChild(document.createElement("div"));
    wide.className = "wide";
    wide.tabIndex = 0;
    wide.setAttribute("role", "region");
    wide.setAttribute("aria-label", `Values of ${plot.title}`);
    const open = () => wide.childElementCount || wide.appendChild(table(plot));
    details.addEventListener("toggle", open);
  }
  document.body.dataset.ready = "true";
})();
