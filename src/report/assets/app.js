"use strict";
// The report's page. Text from models is only ever set as text, never as markup.
function fewbitsReport(data) {
  const SVG = "http://www.w3.org/2000/svg";
  const PRECISIONS = {
    int8: "int8", int16: "int16", hybrid: "int8 weights, float activations", float16: "float16", float32: "float32",
    convert: "between float and integers", other: "indices, shapes, masks",
  };
  const operators = data.operators, compared = data.reference !== null;
  const main = document.getElementById("main"), tip = document.getElementById("tip");
  const listeners = [];  // told which operator is chosen
  let chosen = -1;

  // ---- small tools ----
  function make(name, attributes, ...children) {
    const element = name.startsWith("svg:") ? document.createElementNS(SVG, name.slice(4)) : document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
      else if (value !== null && value !== undefined) element.setAttribute(key, value);
    }
    for (const child of children.flat()) if (child !== null && child !== undefined) element.append(child);
    return element;
  }
  const known = (n) => n !== null && n !== undefined;
  function bytes(n) {
    if (n < 1e3) return `${n} B`;
    return n < 1e6 ? `${(n / 1e3).toFixed(1)} kB` : n < 1e9 ? `${(n / 1e6).toFixed(1)} MB` : `${(n / 1e9).toFixed(2)} GB`;
  }
  const milliseconds = (n) => known(n) ? n.toFixed(n >= 100 ? 0 : n >= 10 ? 1 : n >= 0.1 ? 2 : 4) : "–";
  function decibel(error) {
    if (!error) return "–";
    return error.exact ? "exact" : error.sqnr_db === null ? "none" : `${error.sqnr_db.toFixed(1)} dB`;
  }
  function number(n) {
    if (!known(n)) return "–";
    const size = Math.abs(n);
    return size >= 1e4 || (n !== 0 && size < 1e-3) ? n.toExponential(2) : String(Number(n.toPrecision(4)));
  }
  const percent = (n) => n > 0.9995 && n < 1 ? "> 99.9 %" : `${(100 * n).toFixed(1)} %`;
  function clipped(activation) {
    const share = activation.clipped / Math.max(activation.elements, 1);
    return share < 0.001 ? "<\u00a00.1\u00a0%" : percent(share);
  }
  // Names end in what tells them apart.
  function short(name, most = 60) {
    const first = (name || "").split(";")[0];
    return first.length > most ? "…" + first.slice(1 - most) : first;
  }
  const file = (path) => (path || "model in memory").split("/").pop();
  const colour = (precision) => `var(--${precision})`;
  const level = (op) => op.error && !op.error.exact && op.error.sqnr_db !== null ? op.error.sqnr_db : null;
  // From far off (10 dB) to hardly different (45 dB).
  function errorColour(op) {
    const db = level(op);
    if (db === null) return op.error ? "hsl(150 35% 60%)" : "var(--other)";
    const share = Math.min(1, Math.max(0, (db - 10) / 35));
    return `hsl(${(6 + 144 * share).toFixed(0)} ${(78 - 38 * share).toFixed(0)}% ${(48 + 10 * share).toFixed(0)}%)`;
  }
  const slowest = Math.max(...operators.map((op) => op.ms || 0), 1e-9);
  const timeShade = (ms) => `hsl(262 55% ${(86 - 50 * Math.sqrt(ms / slowest)).toFixed(0)}%)`;
  const timeColour = (op) => op.ms === null ? "var(--other)" : timeShade(op.ms);

  function hover(element, text) {
    const move = (event) => {
      tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
      tip.style.top = `${Math.min(event.clientY + 16, innerHeight - tip.offsetHeight - 8)}px`;
    };
    element.addEventListener("pointerenter", (event) => {
      tip.textContent = text();
      tip.hidden = false;
      move(event);
    });
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerleave", () => { tip.hidden = true; });
  }
  const about = (op) => `${op.type}  ${PRECISIONS[op.precision]}\n${short(op.output)}\n` +
    (compared ? `SQNR ${decibel(op.error)}` : "") + (op.ms !== null ? `  ${milliseconds(op.ms)} ms` : "");
  function choose(place) {
    chosen = place;
    for (const listener of listeners) listener(place);
  }
  function section(id, title, note, ...content) {
    const made = make("section", { id }, make("h2", {}, title), note ? make("p", { class: "note" }, note) : null, ...content);
    main.append(made);
    document.getElementById("sections").append(make("a", { href: `#${id}` }, title));
    return made;
  }
  function legend(items) {
    const entry = ([text, paint]) => make("span", {}, make("i", { style: `background:${paint}` }), text);
    return make("div", { class: "legend" }, items.map(entry));
  }

  // ---- the verdict ----
  function verdict() {
    const { reference, model, outputs } = data;
    const tile = (value, text) => make("div", { class: "tile" }, make("b", {}, value), make("span", {}, text));
    const tiles = [];
    const change = (before, after, show) => before !== undefined ? `${show(before)} → ${show(after)}` : show(after);
    tiles.push(tile(change(reference?.bytes, model.bytes, bytes), "size of the file"));
    if (model.latency) {
      tiles.push(tile(change(reference?.latency?.median_ms, model.latency.median_ms, milliseconds) + " ms",
        `median of ${model.latency.runs} runs, ${data.threads} thread${data.threads > 1 ? "s" : ""}`));
      tiles.push(tile(change(reference?.latency?.peak_bytes, model.latency.peak_bytes, bytes), "activations and workspace"));
    }
    for (const output of outputs.slice(0, 3)) {
      const scores = output.rows === data.samples ? "largest score" : `largest score of ${output.rows} rows`;
      if (output.agreement !== null) {
        tiles.push(tile(percent(output.agreement), `${scores} at the same place: ${short(output.name)}`));
      }
      tiles.push(tile(decibel(output), `signal over error of ${short(output.name)}`));
    }
    const counts = Object.keys(PRECISIONS).map((name) => [name, operators.filter((op) => op.precision === name).length])
      .filter(([, count]) => count);
    const stack = make("div", { class: "stack" },
      counts.map(([name, count]) => make("div", { style: `flex:${count};background:${colour(name)}` })));
    section("verdict", "Verdict", null, make("p", { class: "verdict" }, data.verdict),
      make("div", { class: "tiles" }, tiles), stack,
      legend(counts.map(([name, count]) => [`${count} ${PRECISIONS[name]}`, colour(name)])));
  }
  function advice() {
    if (!data.advice.length) return;
    const items = data.advice.map((item) => {
      const told = () => { copy.textContent = "copied"; };
      const keep = () => navigator.clipboard?.writeText(item.command).then(told);
      const copy = make("button", { type: "button", onclick: keep }, "copy");
      const command = make("div", { class: "command" }, make("code", {}, item.command), copy);
      return make("li", {}, item.text, item.command ? command : null);
    });
    section("next", "What to try next", null, make("ul", { class: "advice" }, items));
  }

  // ---- error by layer ----
  function layers() {
    const measured = operators.map((op, place) => ({ op, place })).filter(({ op }) => level(op) !== null);
    if (!measured.length) return;
    const width = 1180, height = 300, left = 52, bottom = 26, top = 12;
    const levels = measured.map(({ op }) => level(op)), highest = Math.max(30, ...levels), lowest = Math.min(0, ...levels);
    const x = (place) => left + (width - left - 12) * (place + 0.5) / operators.length;
    const y = (db) => top + (height - top - bottom) * (1 - (db - lowest) / (highest - lowest));
    const plot = make("svg:svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img",
      "aria-label": "SQNR of every layer, in the order in which they run" });
    for (let db = Math.ceil(lowest / 10) * 10; db <= highest; db += 10) {
      plot.append(make("svg:line", { class: "axis", x1: left, x2: width - 12, y1: y(db), y2: y(db) }),
        make("svg:text", { x: left - 8, y: y(db) + 4, "text-anchor": "end" }, `${db}`));
    }
    plot.append(make("svg:text", { x: 0, y: top + 2, "dominant-baseline": "hanging" }, "dB"),
      make("svg:text", { x: width - 12, y: height - 4, "text-anchor": "end" }, "operators, first to last"));
    const path = measured.map(({ op, place }, i) => `${i ? "L" : "M"}${x(place).toFixed(1)} ${y(level(op)).toFixed(1)}`).join("");
    plot.append(make("svg:path", { d: path, class: "edge" }));
    const worst = [...measured].sort((a, b) => level(a.op) - level(b.op)).slice(0, 5);
    const dots = new Map();
    for (const { op, place } of measured) {
      const dot = make("svg:circle", { cx: x(place), cy: y(level(op)), r: operators.length > 300 ? 3 : 4.5,
        fill: colour(op.precision), "data-place": place, onclick: () => choose(place) });
      hover(dot, () => about(op));
      dots.set(place, dot);
      plot.append(dot);
    }
    const labelWidth = 190, labelHeight = 16, labels = [];
    for (const { op, place } of worst) {
      const at = x(place), high = y(level(op)), flip = at > width - 260;
      const label = { left: flip ? at - labelWidth : at, high };
      const near = (other) => Math.abs(other.high - high) < labelHeight && Math.abs(other.left - label.left) < labelWidth;
      if (labels.some(near)) continue;
      if (labels.push(label) > 3) break;
      const where = { x: at + (flip ? -9 : 9), y: high + 15, "text-anchor": flip ? "end" : "start" };
      plot.append(make("svg:text", { class: "label", ...where }, `${op.type} ${level(op).toFixed(1)}`));
    }
    listeners.push((place) => dots.forEach((dot, own) => dot.classList.toggle("chosen", own === place)));
    const unmatched = data.unmatched_layers;
    const gone = unmatched ? ` ${unmatched} tensors of the float model have no counterpart: they were fused or folded away.` : "";
    section("layers", "Error by layer", "Signal over error of every tensor that both models have, against the float model, " +
      `over ${data.samples} samples. Low is bad; a sudden fall is where to look. Click a point to see it in the graph.${gone}`,
      plot);
  }

  // ---- the graph and what is chosen in it ----
  function graph() {
    const nodeWidth = 150, nodeHeight = 34;
    const view = make("svg:svg", { id: "graph-view", role: "img",
      "aria-label": "The model's operators and how they feed each other" });
    const layer = make("svg:g");
    view.append(layer);
    const edges = data.edges.map((edge) => ({ ...edge, path: make("svg:path", { class: "edge" }) }));
    layer.append(...edges.map((edge) => edge.path));
    const nodes = operators.map((op, place) => {
      const node = make("svg:g", { class: "node", "data-place": place, onclick: () => choose(place) },
        make("svg:rect", { x: -nodeWidth / 2, y: -nodeHeight / 2, width: nodeWidth, height: nodeHeight }),
        make("svg:text", {}, op.type.length > 20 ? op.type.slice(0, 19) + "…" : op.type));
      hover(node, () => about(op));
      layer.append(node);
      return node;
    });
    // Places: one below the other, or cut into columns side by side, so that the whole of a deep model is more than a line.
    const bounds = (points) => {
      const box = { left: Infinity, right: -Infinity, top: Infinity, bottom: -Infinity };
      for (const [x, y] of points) {
        box.left = Math.min(box.left, x - 100); box.right = Math.max(box.right, x + 100);
        box.top = Math.min(box.top, y - 40); box.bottom = Math.max(box.bottom, y + 40);
      }
      return { x: box.left, y: box.top, w: box.right - box.left, h: box.bottom - box.top };
    };
    const unfolded = operators.map((op) => [op.x, op.y]), long = bounds(unfolded);
    let columns = 1;
    const columnOf = (y) => Math.min(columns - 1, Math.floor((y - long.y) / long.h * columns));
    const folded = () => {
      const parts = Array.from({ length: columns }, () => []), starts = [];
      for (const point of unfolded) parts[columnOf(point[1])].push(point);
      let right = 0;
      for (const part of parts) {
        if (!part.length) {
          starts.push([0, 0]);
          continue;
        }
        const own = bounds(part);
        starts.push([right - own.x, -own.y]);
        right += own.w + 40;
      }
      return ([x, y]) => {
        const [dx, dy] = starts[columnOf(y)];
        return [x + dx, y + dy];
      };
    };
    const isTall = () => {
      const { w, h } = bounds(unfolded.map(folded()));
      return h > w;
    };
    while (columns < 40 && isTall()) ++columns;
    let whole = long, box = { ...long }, isFolded = null;
    function arrange(fold) {
      if (isFolded === fold) return;
      isFolded = fold;
      const move = fold ? folded() : (point) => point;
      const places = unfolded.map(move);
      whole = bounds(places);
      places.forEach(([x, y], place) => nodes[place].setAttribute("transform", `translate(${x} ${y})`));
      for (const edge of edges) {
        const [ax, ay] = places[edge.from], [bx, by] = places[edge.to];
        const apart = fold && columnOf(unfolded[edge.from][1]) !== columnOf(unfolded[edge.to][1]);
        const stops = [[ax, ay + nodeHeight / 2], ...(apart ? [] : edge.points.map(move)), [bx, by - nodeHeight / 2]];
        let d = `M${stops[0][0]} ${stops[0][1]}`;
        for (let i = 1; i < stops.length; ++i) {
          const [px, py] = stops[i - 1], [qx, qy] = stops[i], middle = (py + qy) / 2;
          d += apart ? `L${qx} ${qy}` : `C${px} ${middle} ${qx} ${middle} ${qx} ${qy}`;
        }
        edge.path.setAttribute("d", d);
        edge.path.classList.toggle("apart", apart);
      }
    }
    // Pan and zoom: the view box follows.
    const apply = () => view.setAttribute("viewBox", `${box.x} ${box.y} ${box.w} ${box.h}`);
    function zoom(factor, cx = box.x + box.w / 2, cy = box.y + box.h / 2) {
      const w = Math.min(Math.max(box.w * factor, 200), whole.w * 4 + 4000), scale = w / box.w;
      box = { x: cx - (cx - box.x) * scale, y: cy - (cy - box.y) * scale, w, h: box.h * scale };
      apply();
    }
    function at(event) {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(view.getScreenCTM().inverse());
      return [point.x, point.y];
    }
    function show(place, near) {
      arrange(false);
      const op = operators[place], shape = view.getBoundingClientRect();
      const w = near ? 900 : box.w, h = w * shape.height / Math.max(shape.width, 1);
      box = { x: op.x - w / 2, y: op.y - h / 2, w, h };
      apply();
    }
    view.addEventListener("wheel", (event) => {
      event.preventDefault();
      zoom(event.deltaY > 0 ? 1.15 : 1 / 1.15, ...at(event));
    }, { passive: false });
    let held = null;
    view.addEventListener("pointerdown", (event) => { held = { x: event.clientX, y: event.clientY, moved: false }; });
    view.addEventListener("pointermove", (event) => {
      if (!held) return;
      const unit = 1 / view.getScreenCTM().a, dx = event.clientX - held.x, dy = event.clientY - held.y;
      if (!held.moved && Math.abs(dx) + Math.abs(dy) < 4) return;
      if (!held.moved) {
        view.setPointerCapture(event.pointerId);
        view.classList.add("held");
      }
      box.x -= dx * unit; box.y -= dy * unit;
      held = { x: event.clientX, y: event.clientY, moved: true };
      apply();
    });
    const release = () => {
      held = null;
      view.classList.remove("held");
    };
    for (const name of ["pointerup", "pointercancel"]) view.addEventListener(name, release);
    // Colours.
    const key = make("div", { class: "legend" });
    function paint(mode) {
      operators.forEach((op, place) => {
        const fill = mode === "error" ? errorColour(op) : mode === "time" ? timeColour(op) : colour(op.precision);
        nodes[place].firstChild.style.fill = fill;
        const isLight = mode === "time" ? op.ms !== null && op.ms < slowest * 0.15
          : mode === "error" && op.error !== null && (level(op) ?? 45) >= 15;
        nodes[place].classList.toggle("pale", isLight);
      });
      const present = Object.keys(PRECISIONS).filter((name) => operators.some((op) => op.precision === name));
      const items = {
        error: () => [10, 20, 30, 45].map((db) => [`${db} dB`, errorColour({ error: { sqnr_db: db } })]),
        time: () => [0.02, 0.3, 1].map((share) => [`${milliseconds(slowest * share)} ms`, timeColour({ ms: slowest * share })]),
        precision: () => present.map((name) => [name, colour(name)]),
      };
      key.replaceChildren(...legend(items[mode]()).childNodes);
    }
    const modes = [["precision", "by precision"]];
    if (compared) modes.push(["error", "by error"]);
    if (data.model.latency) modes.push(["time", "by time"]);
    const mode = make("select", { id: "graph-colour", "aria-label": "Colour", onchange: () => paint(mode.value) },
      modes.map(([value, text]) => make("option", { value }, text)));
    const found = make("span", { id: "graph-found" });
    const search = make("input", { id: "graph-search", type: "search", placeholder: "find a name or type", oninput: () => {
      const wanted = search.value.trim().toLowerCase();
      const hits = operators.map((op) => `${op.type}\n${op.output}`.toLowerCase().includes(wanted));
      nodes.forEach((node, place) => node.classList.toggle("dim", !hits[place]));
      found.textContent = wanted ? `${hits.filter(Boolean).length} found` : "";
      if (wanted && hits.includes(true)) show(hits.indexOf(true), true);
    } });
    function fit() {
      arrange(true);
      box = { ...whole };
      apply();
    }
    const hint = make("p", { class: "note" }, "Choose an operator to see its numbers, histograms and channels.");
    const panel = make("div", { class: "detail", id: "detail" }, hint);
    const button = (text, label, onclick, id) => make("button", { type: "button", "aria-label": label, id, onclick }, text);
    section("graph", "Graph", "Drag to move, wheel to zoom, click an operator.",
      make("div", { class: "toolbar" }, search, found, mode, button("whole", "the whole graph", fit, "graph-fit"),
        button("+", "zoom in", () => zoom(0.8)), button("−", "zoom out", () => zoom(1.25)), key),
      make("div", { class: "split" }, make("div", { class: "canvas" }, view), panel));
    paint("precision");
    // Start where names can be read.
    arrange(false);
    apply();
    if (whole.h > 1400) {
      const w = Math.max(900, Math.min(whole.w, 1500));
      box = { x: whole.x + whole.w / 2 - w / 2, y: whole.y, w, h: w * 0.75 };
      apply();
    }
    listeners.push((place) => {
      nodes.forEach((node, own) => node.classList.toggle("chosen", own === place));
      show(place, true);
      panel.replaceChildren(...detail(operators[place]));
    });
  }

  function histogram(values, range) {
    const width = 330, height = 110, base = 88;
    const most = Math.max(...values.counts, 1), step = width / values.counts.length;
    const x = (value) => (value - values.low) / (values.high - values.low) * width;
    const drawing = make("svg:svg", { viewBox: `0 0 ${width} ${height}`, class: "histogram" });
    if (range) {
      const wide = Math.max(1, x(range[1]) - x(range[0]));
      drawing.append(make("svg:rect", { class: "rangebox", x: x(range[0]), y: 0, width: wide, height: base }));
    }
    values.counts.forEach((count, i) => {
      // The logarithm shows the tails, which is where clipping happens.
      const tall = count ? 4 + (base - 8) * Math.log1p(count) / Math.log1p(most) : 0;
      const middle = values.low + (i + 0.5) * (values.high - values.low) / values.counts.length;
      const outside = range && (middle < range[0] || middle > range[1]);
      if (!count) return;
      const place = { x: i * step + 0.5, y: base - tall, width: Math.max(step - 1, 0.5), height: tall };
      drawing.append(make("svg:rect", { class: outside ? "bar out" : "bar", ...place }));
    });
    drawing.append(make("svg:text", { x: 0, y: height - 6 }, number(values.low)),
      make("svg:text", { x: width, y: height - 6, "text-anchor": "end" }, number(values.high)));
    return drawing;
  }
  function channels(scales) {
    const width = 330, height = 70, most = Math.max(...scales), shown = scales.length > 330 ? 330 : scales.length;
    const drawing = make("svg:svg", { viewBox: `0 0 ${width} ${height}`, class: "channels" });
    const sorted = [...scales].sort((a, b) => a - b);
    for (let i = 0; i < shown; ++i) {
      const value = sorted[Math.floor(i * sorted.length / shown)], tall = Math.max(1, height * value / most);
      const place = { x: i * width / shown, y: height - tall, width: Math.max(width / shown - 0.4, 0.4), height: tall };
      drawing.append(make("svg:rect", { class: "bar", ...place }));
    }
    return drawing;
  }
  function detail(op) {
    const rows = [["operator", `${op.type} #${op.index}`], ["shape", `${op.dtype} [${op.shape.join(", ")}]`],
      ["precision", PRECISIONS[op.precision]]];
    if (op.reason) rows.push(["in float because", op.reason + (op.help ? ` (${op.help})` : "")]);
    if (op.error) {
      rows.push(["SQNR", decibel(op.error)], ["cosine", op.error.cosine.toFixed(6)],
        ["worst error", `${number(op.error.max_abs)} of ${number(op.error.reference_max_abs)}`]);
    }
    const before = op.reference_ms !== null ? `${milliseconds(op.reference_ms)} → ` : "";
    if (op.ms !== null) rows.push(["time", `${before}${milliseconds(op.ms)} ms`]);
    if (op.kernel) rows.push(["kernel", op.kernel]);
    if (op.constant_bytes) rows.push(["constants", bytes(op.constant_bytes)]);
    const list = rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]);
    const parts = [make("h2", { title: op.output }, short(op.output) || op.type), make("dl", {}, list)];
    const activation = op.activation;
    if (activation?.histogram) {
      const { range, histogram: values } = activation;
      parts.push(make("h3", {}, "activations of the float model (logarithmic)"), histogram(values, range));
      if (range) {
        const lost = activation.clipped ? clipped(activation) : "nothing";
        parts.push(make("p", { class: "note" }, `range ${number(range[0])} to ${number(range[1])}; values ` +
          `${number(values.min)} to ${number(values.max)}; ${lost} clipped`));
      }
    }
    const weights = op.weights;
    if (weights?.histogram) {
      parts.push(make("h3", {}, `weights (${weights.dtype}, ${bytes(weights.bytes)}, logarithmic)`),
        histogram(weights.histogram, null));
    }
    if (weights && weights.scales.length > 1) {
      const low = Math.min(...weights.scales), high = Math.max(...weights.scales);
      const apart = low > 0 ? `${number(high / low)} times apart` : "a channel is all zero";
      parts.push(make("h3", {}, `scales of ${weights.scales.length} channels, sorted`), channels(weights.scales),
        make("p", { class: "note" }, `${number(low)} to ${number(high)}: ${apart}`));
    }
    return parts;
  }

  // ---- time and size by type of operator ----
  // Two bars a type, before and after, largest first. `sums`: by type, { before, after }.
  function barsByType(sums, show, label) {
    const most = (sum) => Math.max(sum.before, sum.after);
    const rows = [...sums].filter(([, sum]) => most(sum) > 0).sort((a, b) => most(b[1]) - most(a[1])).slice(0, 14);
    if (!rows.length) return null;
    const width = 1180, line = compared ? 38 : 26, left = 210, longest = most(rows[0][1]);
    const drawing = make("svg:svg", { viewBox: `0 0 ${width} ${rows.length * line}`, role: "img", "aria-label": label });
    rows.forEach(([type, sum], i) => {
      const bar = (value, offset, paint) => {
        const long = Math.max((width - left - 90) * value / longest, value > 0 ? 1 : 0);
        drawing.append(make("svg:rect", { x: left, y: i * line + offset, width: long, height: 13, rx: 2, fill: paint }),
          make("svg:text", { x: left + long + 6, y: i * line + offset + 10.5 }, value > 0 ? show(value) : "none"));
      };
      drawing.append(make("svg:text", { x: left - 10, y: i * line + (compared ? 20 : 15), "text-anchor": "end" }, type));
      if (compared) bar(sum.before, 2, "var(--before)");
      bar(sum.after, compared ? 17 : 4, "var(--after)");
    });
    return drawing;
  }
  function sumsByType(before, after) {
    const sums = new Map();
    const add = (type, which, value) => {
      if (!sums.has(type)) sums.set(type, { before: 0, after: 0 });
      sums.get(type)[which] += value || 0;
    };
    for (const [type, value] of before) add(type, "before", value);
    for (const [type, value] of after) add(type, "after", value);
    return sums;
  }
  const bothModels = () => compared
    ? legend([[file(data.reference.path), "var(--before)"], [file(data.model.path), "var(--after)"]]) : null;
  function time() {
    if (!data.model.latency) return;
    const sums = sumsByType(data.reference_times.map((one) => [one.type, one.ms]), operators.map((op) => [op.type, op.ms]));
    const bars = barsByType(sums, (ms) => `${milliseconds(ms)} ms`, "Time by operator type");
    if (!bars) return;
    section("time", "Time by operator",
      "Each operator timed by itself, which costs a little: the sum need not be the model's own time.", bothModels(), bars);
  }
  function size() {
    const before = data.reference_sizes.map((one) => [one.type, one.bytes]);
    const sums = sumsByType(before, operators.map((op) => [op.type, op.constant_bytes]));
    const bars = barsByType(sums, bytes, "Size by operator type");
    if (!bars) return;
    const { reference, model } = data;
    const total = (one) => `${bytes(one.constant_bytes)} of constants in ${bytes(one.bytes)}`;
    const change = reference ? `${total(reference)} before, ${total(model)} now` : total(model);
    section("size", "Size by operator", `Weights and other constants, each where it is first used: ${change}.`,
      bothModels(), bars);
  }

  // ---- samples ----
  function samples() {
    if (!data.worst.length) return;
    const cards = data.worst.map((sample) => {
      const changed = sample.reference_class !== null && sample.reference_class !== sample.other_class;
      const answer = `class ${sample.reference_class}${changed ? ` → ${sample.other_class}` : ""}`;
      return make("div", { class: "sample" },
        sample.picture ? make("img", { src: sample.picture, alt: `sample ${sample.source}` }) : null,
        make("div", { title: sample.source }, file(sample.source)),
        make("div", {}, sample.sqnr_db === null ? "no signal" : `${sample.sqnr_db.toFixed(1)} dB`),
        sample.reference_class !== null ? make("div", { class: changed ? "changed" : "" }, answer) : null,
        sample.label !== null ? make("div", {}, `label ${sample.label}`) : null);
    });
    section("samples", "Worst samples",
      "Those whose answers moved the most; changed classes first. Pictures are as the model sees them.",
      make("div", { class: "samples" }, cards));
  }

  // ---- every operator ----
  function table() {
    const loudness = (op) => op.error ? (op.error.exact ? Infinity : op.error.sqnr_db ?? -Infinity) : NaN;
    const clips = (op) => op.activation?.range ? op.activation.clipped / Math.max(op.activation.elements, 1) : NaN;
    // title, what is sorted by, what is shown, whether it is a number
    const columns = [
      ["#", (op) => op.index, (op) => op.index, true],
      ["operator", (op) => op.type, (op) => op.type, false],
      ["precision", (op) => op.precision, (op) => op.precision, false],
      ["output", (op) => op.output, (op) => short(op.output, 32), false],
    ];
    if (compared) {
      columns.push(["SQNR", loudness, (op) => decibel(op.error), true],
        ["worst error", (op) => op.error?.max_abs ?? NaN, (op) => number(op.error?.max_abs), true],
        ["clipped", clips, (op) => clips(op) > 0 ? clipped(op.activation) : "–", true]);
    }
    if (data.model.latency) {
      if (compared) columns.push(["ms before", (op) => op.reference_ms ?? NaN, (op) => milliseconds(op.reference_ms), true]);
      columns.push(["ms", (op) => op.ms ?? NaN, (op) => milliseconds(op.ms), true]);
    }
    columns.push(["constants", (op) => op.constant_bytes, (op) => op.constant_bytes ? bytes(op.constant_bytes) : "–", true],
      ["kernel", (op) => op.kernel, (op) => op.kernel || "–", false]);
    if (operators.some((op) => op.reason)) columns.push(["why in float", (op) => op.reason, (op) => op.reason, false]);
    let order = { column: 0, up: true };
    const body = make("tbody"), count = make("span");
    const WIDE = { output: "name", "why in float": "name", kernel: "kernel" };
    const rows = operators.map((op, place) => {
      const cells = columns.map(([title, , show, isNumber]) => {
        const whole = title in WIDE ? op[title] || show(op) : null;
        const cell = make("td", { class: isNumber ? "number" : WIDE[title], title: whole });
        if (title === "precision") cell.append(make("span", { class: "swatch", style: `background:${colour(op.precision)}` }));
        cell.append(String(show(op)));
        return cell;
      });
      return make("tr", { "data-place": place, onclick: () => choose(place) }, cells);
    });
    const present = Object.keys(PRECISIONS).filter((name) => operators.some((op) => op.precision === name));
    const filter = make("input", { id: "table-filter", type: "search", placeholder: "filter", oninput: fill });
    const kind = make("select", { id: "table-precision", "aria-label": "Precision", onchange: fill },
      make("option", { value: "" }, "every precision"), present.map((name) => make("option", { value: name }, name)));
    function fill() {
      const wanted = filter.value.trim().toLowerCase(), value = columns[order.column][1];
      const places = operators.map((_, place) => place).filter((place) => {
        const op = operators[place];
        const text = `${op.type} ${op.output} ${op.kernel}`.toLowerCase();
        return (!kind.value || op.precision === kind.value) && (!wanted || text.includes(wanted));
      });
      places.sort((a, b) => {
        const left = value(operators[a]), right = value(operators[b]);
        if (left === right) return a - b;
        if (typeof left === "number" && Number.isNaN(left)) return 1;  // what is not known stands last either way
        if (typeof right === "number" && Number.isNaN(right)) return -1;
        return (left < right ? -1 : 1) * (order.up ? 1 : -1);
      });
      body.replaceChildren(...places.map((place) => rows[place]));
      count.textContent = `${places.length} of ${operators.length}`;
    }
    function sortBy(column) {
      order = { column, up: order.column === column ? !order.up : true };
      heads.forEach((head, i) => head.setAttribute("aria-sort", i !== column ? "none" : order.up ? "ascending" : "descending"));
      fill();
    }
    const heads = columns.map(([title, , , isNumber], column) => make("th", { class: isNumber ? "number" : "" },
      make("button", { type: "button", onclick: () => sortBy(column) }, title)));
    listeners.push((place) => rows.forEach((row, own) => row.classList.toggle("chosen", own === place)));
    fill();
    section("operators", "Operators", null, make("div", { class: "toolbar" }, filter, kind, count),
      make("div", { class: "rows" }, make("table", {}, make("thead", {}, make("tr", {}, heads)), body)));
  }

  // ---- the page ----
  const root = document.documentElement, theme = document.getElementById("theme");
  const dark = () => matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark() ? "dark" : "light";
  theme.addEventListener("click", () => { root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark"; });
  let screen = root.dataset.theme;  // what to go back to after printing, which is in light
  addEventListener("beforeprint", () => {
    screen = root.dataset.theme;
    root.dataset.theme = "light";
  });
  addEventListener("afterprint", () => { root.dataset.theme = screen; });
  const names = compared ? `${file(data.reference.path)} → ${file(data.model.path)}` : file(data.model.path);
  document.title = `${names} · fewbits report`;
  document.getElementById("title").textContent = names;
  const sampled = (compared ? `, ${data.samples} samples` : "") + (data.skipped ? `, ${data.skipped} left out` : "");
  document.getElementById("subtitle").textContent = `fewbits ${data.fewbits}${sampled}`;
  verdict();
  advice();
  layers();
  graph();
  time();
  size();
  samples();
  table();
  const worst = operators.map((op, place) => ({ place, db: level(op) })).filter(({ db }) => db !== null)
    .sort((a, b) => a.db - b.db)[0];
  if (worst) choose(worst.place);
}
