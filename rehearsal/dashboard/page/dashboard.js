"use strict";

const TABS = {
  overview: "Overview", system: "System", application: "Application", queue: "Queue", cache: "Cache",
  database: "Database", business: "Business", autoscaling: "Autoscaling",
};
const REFRESH_MS = 15000;
const LIGHT = ["#0550ae", "#a40e26", "#116329", "#7d4e00", "#6639ba", "#0a6c74", "#99286e", "#57606a", "#4d2d00", "#1b7c83"];
const DARK = ["#79c0ff", "#ff7b72", "#56d364", "#e3b341", "#d2a8ff", "#39c5cf", "#f778ba", "#9ea7b3", "#f0883e", "#76e3ea"];
const dark = matchMedia("(prefers-color-scheme: dark)");
const bands = { drill: "#d2992233", load: "#388bfd22" };
const sync = uPlot.sync("time");
const byId = (id) => document.getElementById(id);
let plots = [];
let timer = 0;
let loading = 0;

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") made.className = value;
    else made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

function table(columns, rows, caption) {
  const head = element("thead", {}, element("tr", {}, ...columns.map((text) => element("th", { scope: "col" }, text))));
  const body = element("tbody", {}, ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, cell)))));
  const made = element("table", {}, element("caption", { class: "muted" }, caption), head, body);
  return element("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption }, made);
}

function number(value, unit) {
  if (value === null || value === undefined) return "–";
  if (unit === "By" || unit === "By/s") {
    const power = Math.min(4, Math.max(0, Math.floor(Math.log2(Math.max(1, Math.abs(value))) / 10)));
    return `${(value / 1024 ** power).toPrecision(3)} ${["B", "KiB", "MiB", "GiB", "TiB"][power]}${unit === "By/s" ? "/s" : ""}`;
  }
  if (unit === "s" && Math.abs(value) < 1) return `${(value * 1000).toPrecision(3)} ms`;
  const text = Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en-US") : String(+value.toPrecision(3));
  return unit === "1" ? text : unit === "%" ? `${text} %` : `${text} ${unit}`;
}

function clock(at) {
  const moment = new Date(at * 1000);
  const time = moment.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  if (moment.toDateString() === new Date().toDateString()) return time;
  return `${moment.toLocaleDateString([], { year: "numeric", month: "short", day: "numeric" })}, ${time}`;
}

function marks(events) {
  return (plot) => {
    const { ctx } = plot;
    const { left, top, width, height } = plot.bbox;
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    for (const event of events) {
      const x = plot.valToPos(event.at, "x", true);
      if (bands[event.kind]) {
        const end = plot.valToPos(event.until ?? plot.scales.x.max, "x", true);
        ctx.fillStyle = bands[event.kind];
        ctx.fillRect(x, top, Math.max(1, end - x), height);
      } else if (event.kind === "deployment" || event.kind === "scaling") {
        ctx.strokeStyle = event.kind === "deployment" ? "#8957e5" : "#3fb950";
        ctx.setLineDash(event.kind === "deployment" ? [] : [4, 4]);
        ctx.beginPath();
        ctx.moveTo(x, top);
        ctx.lineTo(x, top + height);
        ctx.stroke();
      }
    }
    ctx.restore();
  };
}

function limitLines(limits) {
  return (plot) => {
    if (!limits) return;
    for (const [name, color] of [["warning", "#d29922"], ["critical", "#f85149"]]) {
      const y = plot.valToPos(limits[name], "y", true);
      if (y < plot.bbox.top || y > plot.bbox.top + plot.bbox.height) continue;
      plot.ctx.save();
      plot.ctx.strokeStyle = color;
      plot.ctx.setLineDash([6, 4]);
      plot.ctx.beginPath();
      plot.ctx.moveTo(plot.bbox.left, y);
      plot.ctx.lineTo(plot.bbox.left + plot.bbox.width, y);
      plot.ctx.stroke();
      plot.ctx.restore();
    }
  };
}

function summary(series, unit) {
  return series.map((line) => {
    const values = line.values.filter((value) => value !== null);
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const shown = values.length ? [values.at(-1), Math.min(...values), mean, Math.max(...values)] : [null, null, null, null];
    return [line.name, ...shown.map((value) => number(value, unit))];
  });
}

function panel(times, data, events) {
  const rows = summary(data.series, data.unit);
  const holder = element("div", { class: "plot" });
  const made = element("section", { class: "panel" }, element("h3", {}, data.title));
  if (!data.series.length) {
    made.append(element("p", { class: "muted" }, "Nothing was measured in this time range."));
    return made;
  }
  const text = rows.map((row) => `${row[0]}: last ${row[1]}, maximum ${row[4]}`).join("; ");
  holder.setAttribute("role", "img");
  holder.setAttribute("aria-label", `${data.title}. ${text}`);
  const details = element("details", {}, element("summary", {}, "Values"),
    table(["line", "last", "minimum", "mean", "maximum"], rows, `Values of ${data.title}`));
  made.append(holder, details);
  requestAnimationFrame(() => {
    if (!holder.isConnected) return;
    const colors = dark.matches ? DARK : LIGHT;
    const style = getComputedStyle(document.documentElement);
    const axis = { stroke: style.getPropertyValue("--muted"), grid: { stroke: style.getPropertyValue("--line"), width: 1 } };
    plots.push(new uPlot({
      width: holder.clientWidth,
      height: 170,
      cursor: { sync: { key: sync.key } },
      legend: { show: data.series.length > 1, live: false },
      axes: [axis, { ...axis, size: 62, values: (_, values) => values.map((value) => number(value, data.unit)) }],
      series: [{}, ...data.series.map((line, index) => ({
        label: line.name, stroke: colors[index % colors.length], width: 1.5, spanGaps: false,
        value: (_, value) => number(value, data.unit),
      }))],
      hooks: { drawClear: [marks(events)], draw: [limitLines(data.limits)] },
    }, [times, ...data.series.map((line) => line.values)], holder));
  });
  return made;
}

function eventsTable(events) {
  const rows = events.slice(-50).reverse().map((event) => {
    const { outcome, changes, ...rest } = event.detail;
    const detail = outcome ?? changes?.join(", ") ?? Object.entries(rest).map(([name, value]) => `${name} ${value}`).join(", ");
    const length = bands[event.kind] ? [event.until ? `${Math.round(event.until - event.at)} s` : "goes on"] : [];
    return [clock(event.at), event.kind, event.title, [...length, detail].filter(Boolean).join(", ")];
  });
  return rows.length ? table(["time", "kind", "what", "why"], rows, "Events in this time range") : element("p", { class: "muted" }, "No event in this time range.");
}

function showOverview(data) {
  const share = (value) => value === null ? "no requests" : `${(100 * value).toPrecision(3)} %`;
  const numbers = element("dl", { class: "numbers" }, ...data.numbers.map((item) =>
    element("div", {}, element("dt", {}, item.title), element("dd", {}, number(item.value, item.unit)))));
  const alerts = data.alerts.length
    ? table(["severity", "signal", "line", "value", "limit", "since"], data.alerts.map((alert) => [
      element("span", { class: alert.severity === "critical" ? "bad" : "warning" }, alert.severity),
      alert.title, alert.line, number(alert.value, alert.unit), number(alert.limit, alert.unit), clock(alert.since)]), "Active alerts")
    : element("p", { class: "good" }, "No active alert.");
  const findings = data.findings.length
    ? table(["since", "what", "at the same time"], data.findings.map((item) => [
      clock(item.change.onset), item.text, [...item.movers.map((mover) => mover.title), ...item.with].join("; ")]), "Early warnings") : null;
  const problems = data.problems.length
    ? element("ul", {}, ...data.problems.map((text) => element("li", { class: "warning" }, text))) : null;
  const budget = table(["objective", "allowed", "violated", "budget used"], data.budget.map((item) => [
    item.objective, share(item.allowed), share(item.share),
    element("span", { class: item.used > 1 ? "bad" : "good" }, item.used === null ? "–" : `${(100 * item.used).toFixed(0)} %`)]),
  "Error budget of the last 24 hours");
  const scalers = table(["autoscaler", "replicas", "wanted", "bounds", "why"], data.autoscalers.map((item) => [
    item.name, String(item.current), String(item.desired), `${item.minimum} to ${item.maximum}`,
    element("span", {}, item.outcome, element("br"), element("span", { class: "muted" }, item.metrics.join("; ")))]), "Replicas and why");
  const processes = table(["process", "state", "restarts", "memory", "CPU"], data.processes.map((item) => [
    item.name, element("span", { class: item.ready ? "good" : "bad" }, item.ready ? "ready" : item.state),
    String(item.restarts), number(item.memory, "By"), `${(100 * item.cpu).toFixed(1)} %`]), "Processes");
  byId("body").replaceChildren(...[numbers, problems, alerts, findings, budget, scalers, processes].filter(Boolean));
}

function state(data) {
  byId("stack").textContent = data.stack;
  document.title = `Kingdom ${data.stack}: ${data.alerts.length ? `${data.alerts.length} alerts` : "dashboard"}`;
  const health = !data.running ? "The platform does not run" : data.ready ? "Everything is ready" : "Not everything is ready";
  const recorded = data.at ? `recorded at ${clock(data.at)}` : "nothing is recorded yet";
  byId("state").textContent = `${health}; ${data.alerts.length} active alerts; ${recorded}`;
}

async function get(path) {
  const response = await fetch(path);
  const data = await response.json();
  if (!response.ok) throw new Error(data.error ?? `status ${response.status}`);
  return data;
}

async function refresh() {
  const turn = ++loading;
  const tab = current();
  try {
    const data = await get("/api/overview");
    const panels = tab === "overview" ? null : await get(`/api/panels/${tab}?range=${byId("range").value}`);
    if (turn !== loading) return;
    state(data);
    const open = new Set([...document.querySelectorAll("details[open]")].map((each) => each.parentElement.querySelector("h3").textContent));
    plots.forEach((plot) => plot.destroy());
    plots = [];
    if (panels === null) showOverview(data);
    else {
      const grid = element("div", { class: "grid" }, ...panels.panels.map((each) => panel(panels.times, each, panels.events)));
      byId("body").replaceChildren(grid, element("h2", {}, "Events"), eventsTable(panels.events));
      for (const each of document.querySelectorAll("details")) {
        each.open = open.has(each.parentElement.querySelector("h3").textContent);
      }
    }
  } catch (error) {
    byId("state").textContent = `The dashboard's server is unavailable (${error.message}): run kingdom dashboard`;
  }
}

function current() {
  const name = location.hash.slice(1);
  return name in TABS ? name : "overview";
}

function navigate() {
  for (const link of byId("tabs").querySelectorAll("a")) {
    if (link.hash === `#${current()}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  byId("title").textContent = TABS[current()];
  refresh();
}

function schedule() {
  clearInterval(timer);
  if (byId("live").checked) timer = setInterval(() => document.hidden || refresh(), REFRESH_MS);
}

byId("tabs").append(...Object.entries(TABS).map(([name, title]) =>
  element("li", {}, element("a", { href: `#${name}` }, title))));
addEventListener("hashchange", navigate);
byId("range").addEventListener("change", refresh);
byId("live").addEventListener("change", schedule);
dark.addEventListener("change", refresh);
document.addEventListener("visibilitychange", () => document.hidden || (byId("live").checked && refresh()));
let width = innerWidth;
addEventListener("resize", () => {
  if (width !== innerWidth) {
    width = innerWidth;
    for (const plot of plots) plot.setSize({ width: plot.root.parentElement.clientWidth, height: 170 });
  }
});
navigate();
schedule();
