/* The view in space: skeletons, what they touch, the pelvis' way and the ground, by plotly.js. `page` is what report.js knows.
 * Everything is lines. Markers and letters are shapes that plotly cuts from drawn text, with shaders of their own: they were half of the
 * time until the view stood in a browser without a GPU. */
function viewInSpace(page) {
  "use strict";
  const { $, PARENTS, JOINTS, TOUCHING, SOLES, people, clock, colour, clamp, rowAt, personButton, draw: drawPage } = page;
  const RING_M = 0.09, CORNERS = 12, AWAY = 2, HALF = 0.86 * Math.tan(Math.PI / 8);
  const state = { ready: false, last: 0, cost: 40, before: false, row: new Map() };
  const place = $("space");
  /* World (x, y up, z) to plotly's (x, -z, y). */
  const toSpace = (values, i) => [values[i], -values[i + 2], values[i + 1]];
  /* Rows of joints from the pelvis or a fork to the next end, so that a limb is one bent line. */
  const CHAINS = (() => {
    const found = [];
    (function follow(chain, joint) {
      chain.push(joint);
      const next = PARENTS.map((_, j) => j).filter((j) => j > 0 && PARENTS[j] === joint);
      if (next.length) follow(chain, next[0]); else found.push(chain);
      for (const other of next.slice(1)) follow([joint], other);
    })([], 0);
    return found;
  })();

  function lines(parts) {
    const out = { x: [], y: [], z: [] };
    for (const part of parts) {
      for (const at of part) ["x", "y", "z"].forEach((k, axis) => out[k].push(at[axis]));
      for (const k of ["x", "y", "z"]) out[k].push(null);
    }
    return out;
  }
  const bones = (values, row) => lines(row < 0 ? [] : CHAINS.map((chain) => chain.map((j) => toSpace(values, (row * JOINTS + j) * 3))));
  /* Rings under the soles that touch, as high as the sole is below its joint in the body at rest. */
  function touches(p, row) {
    if (row < 0) return lines([]);
    const touching = SOLES.filter((_, n) => p.contacts[row * 4 + n] > TOUCHING);
    return lines(touching.map((joint) => {
      const [x, y, z] = toSpace(p.joints, (row * JOINTS + joint) * 3), low = z - (p.rest[3 * joint + 1] - p.sole) + 0.005;
      return Array.from({ length: CORNERS + 1 }, (_, n) => {
        const turn = 2 * Math.PI * n / CORNERS;
        return [x + RING_M * Math.cos(turn), y + RING_M * Math.sin(turn), low];
      });
    }));
  }
  function way(p) {
    return lines([Array.from(p.times, (_, r) => toSpace(p.joints, r * JOINTS * 3))]);
  }
  /* Half a person's colour, half the card's: what is transparent costs a picture of its own, with steps at its edges. */
  function faded(p) {
    const [one, two] = [p.colour, colour("card")].map((hex) => parseInt(hex.slice(1), 16));
    return "#" + [16, 8, 0].map((n) => ((one >> n & 255) + (two >> n & 255) >> 1).toString(16).padStart(2, "0")).join("");
  }
  function extent() {
    const low = [Infinity, Infinity, Infinity], high = [-Infinity, -Infinity, -Infinity];
    for (const p of people) for (let i = 0; i < p.joints.length; i += 3) {
      toSpace(p.joints, i).forEach((v, axis) => { low[axis] = Math.min(low[axis], v); high[axis] = Math.max(high[axis], v); });
    }
    return { low: [low[0] - 0.6, low[1] - 0.6, Math.min(low[2], 0) - 0.02], high: [high[0] + 0.6, high[1] + 0.6, high[2] + 0.15] };
  }
  function floor({ low, high }) {
    const a = low.map(Math.floor), b = high.map(Math.ceil), parts = [];
    for (let m = a[0]; m <= b[0]; m++) parts.push([[m, a[1], 0], [m, b[1], 0]]);
    for (let m = a[1]; m <= b[1]; m++) parts.push([[a[0], m, 0], [b[0], m, 0]]);
    return lines(parts);
  }
  function traces(box) {
    const size = clamp(place.clientWidth / 900, 0.55, 1), out = [];
    const add = (name, data, tone, width) => out.push({ type: "scatter3d", mode: "lines", hoverinfo: "skip", showlegend: false,
      connectgaps: false, name, ...data, line: { color: tone, width } });
    add("ground", floor(box), colour("line"), 2);
    for (const p of people) {
      const row = rowAt(p, clock.t);
      state.row.set(p, row);
      add(`path of ${p.number}`, way(p), faded(p), 3);
      add(`lifted ${p.number}`, lines([]), colour("before"), 4);
      add(`person ${p.number}`, bones(p.joints, row), p.colour, 10 * size);
      add(`contacts of ${p.number}`, touches(p, row), colour("touch"), 6 * size);
    }
    return out;
  }
  /* Seen from in front and above, across the longer way (along it where the picture is upright), with everybody in the picture all the time. */
  function layout({ low, high }) {
    const axis = (n) => ({ range: [low[n], high[n]], title: { text: "" }, tickmode: "array", tickvals: [], showgrid: false, zeroline: false,
      showline: false, showbackground: false, showspikes: false, showticklabels: false });
    const spans = high.map((v, n) => v - low[n]), across = (spans[0] > spans[1]) === (place.clientWidth > place.clientHeight);
    const { scale, centre, eye } = fitted(everywhere(low, high), across ? [0.35, -1.35, 0.5] : [1.35, -0.35, 0.5]);
    const named = ([x, y, z]) => ({ x, y, z });
    return { margin: { l: 0, r: 0, t: 0, b: 0 }, paper_bgcolor: "rgba(0,0,0,0)", showlegend: false, uirevision: "keep",
      modebar: { bgcolor: "rgba(0,0,0,0)", color: colour("before"), activecolor: colour("accent") },
      scene: { aspectmode: "manual", aspectratio: named(spans.map((v) => v * scale)), xaxis: axis(0), yaxis: axis(1), zaxis: axis(2),
        bgcolor: "rgba(0,0,0,0)", dragmode: "orbit", hovermode: false, camera: { eye: named(eye), center: named(centre), up: named([0, 0, 1]) } } };
  }
  /* Where joints are at a few hundred times, from the middle of the box. */
  function everywhere(low, high) {
    const found = [];
    for (const p of people) for (let r = 0, step = Math.ceil(p.times.length / 200); r < p.times.length; r += step) {
      for (let j = 0; j < JOINTS; j++) found.push(toSpace(p.joints, (r * JOINTS + j) * 3).map((v, n) => v - (low[n] + high[n]) / 2));
    }
    return found;
  }
  /* The scale and the camera looking along -`direction`, so that points about the origin fill the picture in one of its ways. */
  function fitted(points, direction) {
    const along = (one, two) => one.reduce((sum, v, n) => sum + v * two[n], 0), flat = Math.hypot(direction[0], direction[1]);
    const back = direction.map((v) => v / Math.hypot(...direction)), right = [-direction[1] / flat, direction[0] / flat, 0];
    const up = [back[1] * right[2] - back[2] * right[1], back[2] * right[0] - back[0] * right[2], back[0] * right[1] - back[1] * right[0]];
    const ways = [[right, HALF * place.clientWidth / place.clientHeight], [up, HALF]].map(([way, half]) => {
      const [most, least] = [1, -1].map((sign) => points.reduce((far, at) => Math.max(far, sign * along(at, way) + half * along(at, back)), 0.5));
      return { way, scale: 2 * half * AWAY / (most + least), shift: (most - least) / 2 };
    });
    const scale = Math.min(...ways.map((one) => one.scale));
    const centre = [0, 1, 2].map((n) => scale * ways.reduce((sum, { way, shift }) => sum + shift * way[n], 0));
    return { scale, centre, eye: centre.map((v, n) => v + AWAY * back[n]) };
  }
  function button(id, text) {
    const made = document.createElement("button");
    made.type = "button"; made.id = id; made.textContent = text; made.setAttribute("aria-pressed", "false");
    made.addEventListener("click", () => {
      state.before = !state.before;
      made.setAttribute("aria-pressed", state.before);
      draw(true);
    });
    return made;
  }
  function start() {
    const box = extent();
    for (const p of people) p.sole = p.template.reduce((low, v, n) => (n % 3 === 1 ? Math.min(low, v) : low), Infinity);
    Plotly.newPlot(place, traces(box), layout(box), { displaylogo: false, responsive: true, scrollZoom: true,
      plotGlPixelRatio: clamp(devicePixelRatio || 1, 1, 2), modeBarButtons: [["toImage", "pan3d", "orbitRotation", "resetCameraDefault3d"]] }).then(() => {
      state.ready = true;
      performance.mark("in space");
      draw(false);
    });
    people.forEach((p, n) => {
      const made = personButton(p, true);
      made.addEventListener("click", () => {
        p.shown = !p.shown;
        made.setAttribute("aria-pressed", p.shown);
        Plotly.restyle(place, { visible: p.shown }, [1, 2, 3, 4].map((k) => k + 4 * n));
        drawPage(true);
      });
      $("shown").append(made);
    });
    if (people.some((p) => p.before)) $("shown").append(button("lifted", "before refinement"));
  }
  /* Move what has moved; as often as a quarter of the time allows, unless it must be now. */
  function draw(now) {
    if (!state.ready || (!now && performance.now() - state.last < 2 * state.cost + 2 * clock.gap)) return;
    const began = performance.now(), update = { x: [], y: [], z: [] }, which = [];
    const put = (n, values) => { which.push(n); for (const k of ["x", "y", "z"]) update[k].push(values[k]); };
    people.forEach((p, n) => {
      const row = rowAt(p, clock.t);
      if (!now && state.row.get(p) === row) return;
      state.row.set(p, row);
      put(2 + 4 * n, state.before && p.before ? bones(p.before, row) : lines([]));
      put(3 + 4 * n, bones(p.joints, row));
      put(4 + 4 * n, touches(p, row));
    });
    if (!which.length) return;
    Plotly.restyle(place, update, which);
    state.last = performance.now();
    state.cost = clamp(0.8 * state.cost + 0.2 * (state.last - began), 8, 400);
  }
  function recolour() {
    if (state.ready) Plotly.restyle(place, { "line.color": [colour("line"), ...people.map(faded)] }, [0, ...people.map((_, n) => 1 + 4 * n)]);
  }
  return { start, draw, recolour };
}
