"use strict";
// What lib/report/explorer.py hands over is drawn as SVG and as a table; nothing is loaded.
(() => {
  const data = JSON.parse(document.getElementById("play-data").textContent);
  const of = (name) => document.getElementById(`play-${name}`);

  function element(name, attributes = {}, text = "") {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  }

  function fill(select, values, label = (value) => value) {
    const before = select.value;
    select.replaceChildren(...values.map((value) => new Option(label(value), value)));
    if (values.includes(before)) select.value = before;
  }

  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const product = (a, b) => a.reduce((sum, value, k) => sum + value * b[k], 0);

  function centred(column) {
    const middle = mean(column);
    return column.map((value) => value - middle);
  }

  // a x = b by elimination with pivots, for as many unknowns as there are dimensions
  function solve(a, b) {
    const rows = a.map((row, k) => [...row, b[k]]);
    for (let k = 0; k < rows.length; k++) {
      const pivot = rows.slice(k).reduce((best, row, j) => (Math.abs(row[k]) > Math.abs(rows[best][k]) ? k + j : best), k);
      [rows[k], rows[pivot]] = [rows[pivot], rows[k]];
      for (let j = 0; j < rows.length; j++) {
        if (j === k) continue;
        const ratio = rows[j][k] / rows[k][k];
        rows[j] = rows[j].map((value, c) => value - ratio * rows[k][c]);
      }
    }
    return rows.map((row, k) => row[rows.length] / row[k]);
  }

  // least squares with an intercept of each message on all components of m^-k f, or of m^-k f / q
  function fitted(edges, k, field) {
    const scale = edges.mass.map((mass, edge) => mass ** -k / (field ? edges.charge[edge] : 1));
    const x = edges.force.map((column) => centred(column.map((value, edge) => value * scale[edge])));
    const squares = x.map((one) => x.map((other) => product(one, other)));
    return edges.messages.map((message) => {
      const slopes = solve(squares, x.map((column) => product(column, centred(message))));
      const middle = mean(message);
      return message.map((_, edge) => middle + product(slopes, x.map((column) => column[edge])));
    });
  }

  function taken(system, variant, trimmed) {
    const keep = system.typical.map((flag) => flag === 1 || !trimmed);
    const some = (column) => column.filter((_, edge) => keep[edge]);
    return {
      mass: some(system.mass),
      charge: system.charge && some(system.charge),
      force: system.force.map(some),
      messages: system.messages[variant].sent.map(some),
    };
  }

  const sign = (value) => String(value).replace("-", "−");
  const told = (r2) => (r2 > 0.9995 ? `1 − ${(1 - r2).toPrecision(1)}` : r2.toFixed(3));
  const ks = data.exponents;

  // round numbers inside an interval, about so many
  function ticks(low, high, count = 4) {
    const raw = (high - low) / count, power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= raw);
    const found = [];
    for (let value = Math.ceil(low / step) * step; value <= high; value += step) found.push(Number(value.toPrecision(6)));
    return found;
  }

  function axes(group, box, xlim, ylim, labels, at) {
    const px = (value) => box.x + (box.w * (value - xlim[0])) / (xlim[1] - xlim[0]);
    const py = (value) => box.y + box.h - (box.h * (value - ylim[0])) / (ylim[1] - ylim[0]);
    group.append(element("path", { class: "ink", d: `M${box.x} ${box.y}V${box.y + box.h}H${box.x + box.w}` }));
    for (const value of at.x)
      group.append(element("text", { x: px(value), y: box.y + box.h + 15, "text-anchor": "middle" }, sign(value)));
    for (const value of at.y)
      group.append(element("text", { x: box.x - 5, y: py(value) + 4, "text-anchor": "end" }, sign(value)));
    const below = element("text", { x: box.x + box.w / 2, y: box.y + box.h + 33, "text-anchor": "middle" }, labels.x);
    below.append(...(labels.parts || []));
    group.append(below);
    const place = { x: box.x - 42, y: box.y + box.h / 2 };
    const turned = { ...place, "text-anchor": "middle", transform: `rotate(-90 ${place.x} ${place.y})` };
    group.append(element("text", turned, labels.y));
    return { px, py };
  }

  function middle(values) {
    const sorted = [...values].sort((a, b) => a - b), at = (part) => sorted[Math.round(part * (sorted.length - 1))];
    const low = at(0.005), high = at(0.995), room = 0.05 * (high - low) || 1;
    return [low - room, high + room];
  }

  // m with its exponent raised, as parts of a text
  function power(k, base) {
    const raised = element("tspan", { dy: -5, "font-size": 9 }, sign(-k));
    return k === 0 ? [element("tspan", {}, base)] : [element("tspan", {}, "m"), raised, element("tspan", { dy: 5 }, ` ${base}`)];
  }

  function scatter(edges, fit, colour, k, base) {
    const svg = of("scatter"), step = 795 / edges.messages.length, size = Math.min(260, step - 75);
    svg.setAttribute("viewBox", `0 0 795 ${size + 50}`);
    svg.replaceChildren();
    edges.messages.forEach((message, c) => {
      const box = { x: 58 + c * step, y: 8, w: size, h: size }, limits = middle(message), at = ticks(...limits);
      const labels = { x: "best fit on ", parts: power(k, base), y: `message ${c + 1}` };
      const { px, py } = axes(svg, box, limits, limits, labels, { x: at, y: at });
      const [a, b] = limits;
      svg.append(element("path", { class: "ink", d: `M${px(a)} ${py(a)}L${px(b)} ${py(b)}` }));
      const inside = (value) => value >= a && value <= b;
      message.forEach((value, edge) => {
        const x = fit[c][edge];
        if (inside(x) && inside(value))
          svg.append(element("circle", { cx: px(x).toFixed(1), cy: py(value).toFixed(1), r: 2.2, fill: colour, opacity: 0.6 }));
      });
    });
  }

  function curve(scores, k, colour, names) {
    const svg = of("curve"), box = { x: 58, y: 12, w: 720, h: 90 };
    svg.setAttribute("viewBox", "0 0 795 150");
    svg.replaceChildren();
    const labels = { x: "exponent k of the gauge", y: "R²" };
    const { px, py } = axes(svg, box, [-0.5, 1.5], [0, 1], labels, { x: [-0.5, 0, 0.5, 1, 1.5], y: [0, 0.5, 1] });
    for (const value of [0, 1]) {
      svg.append(element("path", { class: "faint", d: `M${px(value)} ${box.y}V${box.y + box.h}` }));
      svg.append(element("text", { x: px(value) + 4, y: box.y + box.h - 5 }, names[value]));
    }
    const points = scores.map((r2, j) => `${px(ks[j]).toFixed(1)} ${py(Math.max(0, r2)).toFixed(1)}`);
    svg.append(element("path", { d: `M${points.join("L")}`, stroke: colour, "stroke-width": 2.5, fill: "none" }));
    svg.append(element("circle", { cx: px(k), cy: py(Math.max(0, scores[ks.indexOf(k)])), r: 7, fill: colour, stroke: "#000" }));
  }

  function showGauge() {
    const system = data.systems[of("system").value];
    fill(of("variant"), Object.keys(system.messages), (name) => `${name}: ${data.variants[name].title}`);
    of("charged").hidden = !system.charge;
    const variant = of("variant").value, k = Number(of("k").value), field = Boolean(system.charge) && of("field").checked;
    const colour = data.variants[variant].colour;
    const { trimmed, all } = system.messages[variant].r2[field ? "field" : "force"];
    const scores = of("trim").checked ? trimmed : all, largest = Math.max(...scores), best = ks[scores.indexOf(largest)];
    const edges = taken(system, variant, of("trim").checked), place = ks.indexOf(k);
    of("k-value").textContent = sign(k.toFixed(2));
    of("best").dataset.k = best;
    scatter(edges, fitted(edges, k, field), colour, k, field ? "f / q" : "f");
    const names = field ? ["field", "field over the mass"] : ["force", "acceleration"];
    curve(scores, k, colour, names);
    const what = names[k] ? `the ${names[k]}` : "the force in another gauge";
    const seen = scores[place] > 0.99 ? "The points lie on the line: this is what the messages hold."
      : scores[place] > 0.8 ? "The points gather about the line." : "The points do not lie on the line.";
    of("told").textContent =
      `${of("system").value}, ${variant}, k = ${sign(k)}: the messages against ${what}. ${seen} ` +
      `Over the ${system.edges.toLocaleString("en")} edges of the test set, of which ${edges.mass.length} are shown, ` +
      `R² is ${told(all[place])}; without the strongest twentieth of the forces it is ${told(trimmed[place])}. ` +
      `R² is largest, ${told(largest)}, at k = ${sign(best)}.`;
  }

  function showNoise() {
    const map = data.maps[Number(of("map").value)], slider = of("level");
    slider.max = map.levels.length - 1;
    const level = Math.min(Number(slider.value), map.levels.length - 1), cells = map.cells[level];
    of("level-value").textContent = `${map.levels[level]} ${map.unit}`;
    slider.setAttribute("aria-valuetext", of("level-value").textContent);
    const count = { right: 0, wrong: 0, none: 0 };
    cells.flat().forEach((cell) => cell && count[cell[0]]++);
    const summary =
      `With noise of ${map.levels[level]} ${map.unit}, ${count.right} announcements are right, ${count.wrong} wrong, ` +
      `and none is made ${count.none} times. Choose a cell to read what was announced.`;
    of("summary").textContent = summary;
    const table = of("cells"), head = document.createElement("tr");
    for (const word of ["", ...map.columns]) {
      const cell = document.createElement("th");
      cell.scope = "col";
      cell.textContent = word;
      head.append(cell);
    }
    const caption = document.createElement("caption");
    caption.textContent = `Systems by ${map.across}`;
    const rows = map.rows.map((name, r) => {
      const row = document.createElement("tr"), first = document.createElement("th");
      first.scope = "row";
      first.textContent = name;
      row.append(first);
      cells[r].forEach((cell, c) => {
        const place = document.createElement("td");
        if (cell) {
          const button = document.createElement("button");
          button.type = "button";
          button.textContent = cell[0];
          button.style.background = data.outcomes[cell[0]];
          button.setAttribute("aria-pressed", "false");
          button.addEventListener("click", () => {
            table.querySelectorAll("button").forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
            of("summary").textContent =
              `${name}, ${map.across} ${map.columns[c]}, noise ${map.levels[level]} ${map.unit}: ${cell[0]}. ` +
              (cell[0] === "none" ? `No law is announced: ${cell[1]}.` : `The announced law is ${cell[1]}.`);
          });
          place.append(button);
        }
        row.append(place);
      });
      return row;
    });
    table.replaceChildren(caption, head, ...rows);
  }

  const systems = Object.keys(data.systems);
  if (systems.length) {
    of("gauge").hidden = false;
    fill(of("system"), systems, (name) => `${name}: ${data.systems[name].title}`);
    for (const name of ["system", "variant", "k", "trim", "field"]) of(name).addEventListener("input", showGauge);
    of("best").addEventListener("click", () => {
      of("k").value = of("best").dataset.k;
      showGauge();
    });
    for (const [name, first] of [["system", "r1-2d"], ["variant", "bottleneck"]]) {
      const offered = [...of(name).options].map((option) => option.value);
      if (offered.includes(first)) of(name).value = first;
      showGauge();
    }
  }
  if (data.maps.length) {
    of("noise").hidden = false;
    fill(of("map"), data.maps.map((_, j) => String(j)), (j) => data.maps[Number(j)].title);
    for (const name of ["map", "level"]) of(name).addEventListener("input", showNoise);
    showNoise();
  }
})();
