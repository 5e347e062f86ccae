// Charts: an element with data-chart holds JSON; ECharts is loaded when the first one comes into view. Colours are the page's own.
"use strict";
(() => {
  const source = document.currentScript.dataset.echarts;
  let library;
  const load = () => (library ??= new Promise((done, failed) => {
    const script = Object.assign(document.createElement("script"), { src: source, onload: () => done(window.echarts), onerror: failed });
    document.head.append(script);
  }));

  // A CSS variable as a plain colour (light-dark() and the like worked out by the browser).
  function colour(name) {
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  }
  const palette = () => [1, 2, 3, 4, 5].map((place) => colour(`--series-${place}`));
  const number = (value, data) => value == null ? "–" : data.percent
    ? `${(value * 100).toFixed(1)} %`
    : `${Number(value).toLocaleString("en", { maximumSignificantDigits: 5 })}${data.unit ? ` ${data.unit}` : ""}`;

  function base(data) {
    const ink = colour("--ink-2"), line = colour("--line");
    const axis = { axisLine: { lineStyle: { color: line } }, axisTick: { show: false }, axisLabel: { color: ink, fontSize: 11 }, nameTextStyle: { color: ink, fontSize: 11 }, splitLine: { lineStyle: { color: line } } };
    return {
      animation: false, color: palette(), textStyle: { fontFamily: getComputedStyle(document.body).fontFamily, color: ink },
      aria: { enabled: true },
      title: { text: data.title + (data.percent ? " (%)" : data.unit ? ` (${data.unit})` : ""), left: 0, top: 0, textStyle: { fontSize: 12, fontWeight: 600, color: colour("--ink") } },
      // With several series their names have a line of their own: beside the title they would lie on it.
      grid: { left: 8, right: 16, top: data.series.length > 1 ? 58 : 40, bottom: data.x ? 24 : 8, containLabel: true },
      tooltip: { trigger: "axis", confine: true, backgroundColor: colour("--raised"), borderColor: colour("--line-strong"), textStyle: { color: colour("--ink"), fontSize: 12 }, valueFormatter: (value) => number(value, data) },
      legend: data.series.length > 1 ? { type: "scroll", left: 0, right: 0, top: 20, itemWidth: 14, itemHeight: 8, textStyle: { color: ink, fontSize: 11 } } : undefined,
      axis,
    };
  }

  // series: [{name, points: [[x, y], …]}]
  function line(data) {
    const { axis, ...option } = base(data);
    return { ...option,
      xAxis: { ...axis, type: "value", name: data.x, nameLocation: "middle", nameGap: 26, min: "dataMin", max: "dataMax", splitLine: { show: false } },
      yAxis: { ...axis, type: data.log ? "log" : "value", scale: true, axisLabel: { ...axis.axisLabel, formatter: data.percent ? (value) => `${+(value * 100).toFixed(2)}` : undefined } },
      series: data.series.map((one, place) => ({ type: "line", name: one.name, data: data.log ? one.points.filter((point) => point[1] > 0) : one.points, showSymbol: one.points.length < 30, symbolSize: 5, symbol: ["circle", "rect", "triangle", "diamond", "pin"][place % 5], lineStyle: { width: 2, type: ["solid", "dashed", "dotted"][place % 3] } })) };
  }

  // series: [{name, points: [[milliseconds since 1970, count], …]}], one column for each day (UTC), the series on top of each other
  function days(data) {
    const { axis, ...option } = base(data);
    const name = (moment) => new Date(moment).toISOString().slice(0, 10);
    return { ...option,
      xAxis: { ...axis, type: "category", data: data.series[0].points.map((point) => name(point[0])) },
      yAxis: { ...axis, type: "value", minInterval: 1 },
      series: data.series.map((one) => ({ type: "bar", stack: "all", name: one.name, data: one.points.map((point) => point[1]), barMaxWidth: 28, itemStyle: { borderColor: colour("--raised"), borderWidth: 1 } })) };
  }

  // series: [{name, bars: [{label, value, lower, upper}, …]}], lying bars with whiskers
  function bars(data) {
    const { axis, ...option } = base(data);
    const labels = data.series[0].bars.map((bar) => bar.label);
    const colours = palette();
    const whiskers = data.series.map((one, at) => ({
      type: "custom", name: one.name, z: 5, tooltip: { show: false }, silent: true, itemStyle: { color: colour("--ink") },
      data: one.bars.map((bar, place) => [bar.lower, bar.upper, place]).filter((bar) => bar[0] != null && bar[1] != null),
      renderItem(_, api) {
        const all = data.series.length, size = api.size([0, 1])[1], step = Math.min(14, size * .7 / all);
        const shift = (at - (all - 1) / 2) * (step + 3);
        const [x1, y] = api.coord([api.value(0), api.value(2)]), [x2] = api.coord([api.value(1), api.value(2)]);
        const style = { stroke: colour("--ink"), lineWidth: 1.5 };
        return { type: "group", children: [[x1, y + shift, x2, y + shift], [x1, y + shift - 4, x1, y + shift + 4], [x2, y + shift - 4, x2, y + shift + 4]].map(([a, b, c, d]) => ({ type: "line", shape: { x1: a, y1: b, x2: c, y2: d }, style })) };
      },
      encode: { x: [0, 1], y: 2 },
    }));
    return { ...option,
      tooltip: { ...option.tooltip, axisPointer: { type: "shadow" }, formatter: (found) => {
        const at = found[0].dataIndex;
        const lines = data.series.map((one) => { const bar = one.bars[at]; const text = number(bar.value, data) + (bar.lower == null ? "" : ` (${number(bar.lower, data)} to ${number(bar.upper, data)})`); return data.series.length > 1 ? `${one.name}: ${text}` : text; });
        const holder = document.createElement("div");
        holder.innerText = [labels[at], ...lines].join("\n");
        return holder.innerHTML;
      } },
      xAxis: { ...axis, type: "value", min: data.percent ? 0 : undefined, max: data.percent ? 1 : undefined, axisLabel: { ...axis.axisLabel, formatter: data.percent ? (value) => `${+(value * 100).toFixed(2)}` : undefined } },
      yAxis: { ...axis, type: "category", data: labels, inverse: true, splitLine: { show: false } },
      series: [...data.series.map((one, at) => ({ type: "bar", name: one.name, data: one.bars.map((bar) => bar.value), barMaxWidth: 14, barGap: "20%", itemStyle: { color: colours[at % 5], opacity: .75, borderRadius: [0, 3, 3, 0] } })), ...whiskers] };
  }

  // series: [{name, bins: [{from, to, count}, …]}]
  function histogram(data) {
    const { axis, ...option } = base(data);
    const bins = data.series[0].bins;
    return { ...option, title: { ...option.title, text: data.title },
      tooltip: { ...option.tooltip, axisPointer: { type: "shadow" }, valueFormatter: (value) => `${value}` },
      xAxis: { ...axis, type: "category", name: data.x || data.unit, nameLocation: "middle", nameGap: 26, data: bins.map((bin) => `${+bin.from.toPrecision(3)} – ${+bin.to.toPrecision(3)}`), splitLine: { show: false } },
      yAxis: { ...axis, type: "value", minInterval: 1 },
      grid: { ...option.grid, bottom: 24 },
      series: data.series.map((one) => ({ type: "bar", name: one.name, data: one.bins.map((bin) => bin.count), barCategoryGap: "6%", itemStyle: { borderRadius: [3, 3, 0, 0] } })) };
  }

  const KINDS = { line, days, bars, histogram };
  async function draw(figure) {
    const text = figure.querySelector("script[type='application/json']")?.textContent;
    if (!text) return;
    const data = JSON.parse(text);
    const echarts = await load();
    // In a shadow root: a morph swap of the page around it leaves the drawing alone.
    let canvas = figure.shadowRoot?.firstElementChild;
    if (!canvas) {
      canvas = document.createElement("div");
      canvas.style.cssText = "position:absolute;inset:0";
      figure.attachShadow({ mode: "open" }).append(canvas);
    }
    const chart = echarts.getInstanceByDom(canvas) || echarts.init(canvas, null, { renderer: "svg" });
    chart.setOption(KINDS[data.kind](data), true);
    figure.drawn = text;
  }

  const sizes = new ResizeObserver((entries) => { for (const { target } of entries) if (target.shadowRoot) window.echarts?.getInstanceByDom(target.shadowRoot.firstElementChild)?.resize(); });
  const seen = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { seen.unobserve(entry.target); draw(entry.target); sizes.observe(entry.target); }
  }, { rootMargin: "120px" });
  function look() {
    for (const figure of document.querySelectorAll("[data-chart]")) {
      if (!figure.watched) { figure.watched = true; seen.observe(figure); }
      else if (figure.drawn && figure.drawn !== figure.querySelector("script")?.textContent) draw(figure);
    }
  }
  look();
  document.addEventListener("htmx:after:swap", look);
  addEventListener("themechange", () => { for (const figure of document.querySelectorAll("[data-chart]")) if (figure.drawn) draw(figure); });
})();
