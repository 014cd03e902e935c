(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const told = JSON.parse($("moving").textContent || "null");
  if (!told) return;

  function bytes(text) {
    const raw = atob(text), out = new Uint8Array(raw.length);
    for (let i = 0; i < raw.length; i++) out[i] = raw.charCodeAt(i);
    return out;
  }
  const f32 = (text) => new Float32Array(bytes(text).buffer);
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();
  const clamp = (v, low, high) => Math.min(Math.max(v, low), high);
  const PARENTS = told.parents, JOINTS = PARENTS.length;
  const TOUCHING = 127, SOLES = [7, 10, 8, 11];
  const people = told.people.map((p) => ({
    number: p.number, colour: p.colour, times: f32(p.times_s), joints: f32(p.joints_m), turned: new Int16Array(bytes(p.turned).buffer),
    before: p.before_m && f32(p.before_m), template: f32(p.template_m), rest: f32(p.rest_m), contacts: bytes(p.contacts),
    confidence: bytes(p.confidence), shown: true,
    measures: Object.fromEntries(Object.entries(p.measures).map(([key, m]) => [key, Object.fromEntries(Object.entries(m).map(([n, v]) => [n, f32(v)]))])),
  }));
  const body = { faces: new Uint16Array(bytes(told.body.faces).buffer), bones: bytes(told.body.bones), weights: f32(told.body.weights) };
  const duration = told.duration_s;

  /* The row of a person at a time; -1 before the first and after the last. */
  function rowAt(person, t) {
    const times = person.times, slack = 0.6 * (times.length > 1 ? (times[times.length - 1] - times[0]) / (times.length - 1) : 0.05);
    if (t < times[0] - slack || t > times[times.length - 1] + slack) return -1;
    let low = 0, high = times.length - 1;
    while (low < high) {
      const mid = (low + high) >> 1;
      if (times[mid] < t) low = mid + 1; else high = mid;
    }
    return low > 0 && t - times[low - 1] < times[low] - t ? low - 1 : low;
  }

  /* ---- the clock: the film's where there is one, else our own ---- */
  const film = $("film"), card = $("film-card");
  const kind = card.dataset.film;
  const clock = { t: 0, rate: 1, playing: false, last: 0, gap: 16, cost: 10, drawn: 0 };
  if (kind) {
    if (kind === "embedded") film.src = URL.createObjectURL(new Blob([bytes($("film-data").textContent)], { type: "video/mp4" }));
    else film.src = kind;
    film.loop = true;
    film.addEventListener("play", () => setPlaying(true));
    film.addEventListener("pause", () => setPlaying(false));
    film.addEventListener("seeked", () => { clock.t = film.currentTime; draw(true); });
    film.addEventListener("error", () => card.remove());
  } else {
    card.remove();
    document.querySelector(".player").classList.add("alone");
  }
  const hasFilm = () => kind && card.isConnected;
  function setPlaying(on) {
    clock.playing = on;
    clock.last = performance.now();
    $("play").classList.toggle("on", on);
    if (on) requestAnimationFrame(tick);
  }
  function toggle() {
    if (!hasFilm()) return setPlaying(!clock.playing);
    if (film.paused) film.play().catch(() => setPlaying(false)); else film.pause();
  }
  function seek(t) {
    clock.t = clamp(t, 0, duration);
    if (hasFilm() && film.readyState) film.currentTime = clock.t;
    draw(true);
  }
  function tick(now) {
    if (!clock.playing) return;
    if (hasFilm()) clock.t = film.currentTime;
    else clock.t = (clock.t + (now - clock.last) / 1000 * clock.rate) % (duration + 1e-6);
    clock.gap = 0.8 * clock.gap + 0.2 * clamp(now - clock.last, 4, 1000);
    clock.last = now;
    if (now - clock.drawn > 2 * clock.cost) {
      const began = performance.now();
      draw(false);
      clock.drawn = now;
      clock.cost = 0.8 * clock.cost + 0.2 * (performance.now() - began);
    }
    requestAnimationFrame(tick);
  }
  $("play").addEventListener("click", toggle);
  $("scrub").addEventListener("input", () => seek($("scrub").value * duration));
  addEventListener("keydown", (event) => {
    if (event.target.matches("button, input, summary, a")) return;
    if (event.key === " ") { event.preventDefault(); toggle(); }
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") seek(clock.t + (event.key === "ArrowRight" ? 1 : -1) / 30);
  });
  function choose(id, key, act) {
    $(id).addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (!button) return;
      for (const other of $(id).querySelectorAll("button")) other.setAttribute("aria-pressed", other === button);
      act(button.dataset[key]);
    });
  }
  choose("speeds", "speed", (speed) => { clock.rate = +speed; film.playbackRate = +speed; });

  /* ---- canvases as sharp as the screen ---- */
  function fitted(canvas) {
    const dpr = Math.min(devicePixelRatio || 1, 2), w = canvas.clientWidth, h = canvas.clientHeight;
    if (canvas.width !== Math.round(w * dpr) || canvas.height !== Math.round(h * dpr)) {
      canvas.width = Math.round(w * dpr); canvas.height = Math.round(h * dpr);
    }
    const c = canvas.getContext("2d");
    c.setTransform(dpr, 0, 0, dpr, 0, 0);
    c.clearRect(0, 0, w, h);
    return [c, w, h];
  }

  /* ---- the body: linear blend skinning of the mesh at a row ---- */
  const vertexCount = body.bones.length / 4;
  function skinned(person, row) {
    const M = new Float32Array(JOINTS * 12), { turned, joints, rest, template } = person;
    for (let j = 0; j < JOINTS; j++) {
      const q = (row * JOINTS + j) * 4, p = (row * JOINTS + j) * 3;
      const w = turned[q] / 32767, x = turned[q + 1] / 32767, y = turned[q + 2] / 32767, z = turned[q + 3] / 32767;
      const R = [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w), 2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w),
        2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)];
      for (let a = 0; a < 3; a++) {
        M.set(R.slice(3 * a, 3 * a + 3), j * 12 + 4 * a);
        M[j * 12 + 4 * a + 3] = joints[p + a] - (R[3 * a] * rest[3 * j] + R[3 * a + 1] * rest[3 * j + 1] + R[3 * a + 2] * rest[3 * j + 2]);
      }
    }
    const out = new Float32Array(vertexCount * 3);
    for (let v = 0; v < vertexCount; v++) {
      const x = template[3 * v], y = template[3 * v + 1], z = template[3 * v + 2];
      for (let k = 0; k < 4; k++) {
        const weight = body.weights[4 * v + k], m = body.bones[4 * v + k] * 12;
        if (weight === 0) continue;
        for (let a = 0; a < 3; a++) out[3 * v + a] += weight * (M[m + 4 * a] * x + M[m + 4 * a + 1] * y + M[m + 4 * a + 2] * z + M[m + 4 * a + 3]);
      }
    }
    return out;
  }

  /* ---- the side view: `deep` is the axis that points at the viewer (right x up) ---- */
  const side = { view: "side", path: null, slow: 0 };
  function axes() {
    const span = [0, 2].map((axis) => {
      let low = Infinity, high = -Infinity;
      for (const p of people) for (let r = 0; r < p.times.length; r++) {
        const value = p.joints[r * JOINTS * 3 + axis];
        low = Math.min(low, value); high = Math.max(high, value);
      }
      return high - low;
    });
    const along = span[0] > span[1] ? 0 : 2, other = 2 - along;
    if (side.view === "top") return { right: along, up: other, deep: 1, sign: 1, flip: along === 0 ? -1 : 1 };
    const right = side.view === "side" ? along : other;
    return { right, up: 1, deep: 2 - right, sign: right === 0 ? 1 : -1, flip: 1 };
  }
  /* Where the view looks at each twentieth of a second, so that everybody is in it: smooth centres and one scale. */
  function path() {
    const a = axes(), steps = Math.max(Math.ceil(duration * 20), 1) + 1, centre = [], middle = [];
    let half = 1.1, low = Infinity, high = -Infinity, halfUp = 1.1;
    for (let s = 0; s < steps; s++) {
      const ends = [Infinity, -Infinity], ups = [Infinity, -Infinity];
      for (const p of people) {
        const row = rowAt(p, Math.min(s / 20, duration));
        if (row < 0) continue;
        for (let j = 0; j < JOINTS; j++) {
          const value = a.sign * p.joints[(row * JOINTS + j) * 3 + a.right], up = a.flip * p.joints[(row * JOINTS + j) * 3 + a.up];
          ends[0] = Math.min(ends[0], value); ends[1] = Math.max(ends[1], value);
          ups[0] = Math.min(ups[0], up); ups[1] = Math.max(ups[1], up);
        }
      }
      if (ends[0] > ends[1]) { centre.push(s ? centre[s - 1] : 0); middle.push(s ? middle[s - 1] : 0); continue; }
      centre.push((ends[0] + ends[1]) / 2); middle.push((ups[0] + ups[1]) / 2);
      half = Math.max(half, (ends[1] - ends[0]) / 2 + 0.5); halfUp = Math.max(halfUp, (ups[1] - ups[0]) / 2 + 0.4);
      low = Math.min(low, ups[0]); high = Math.max(high, ups[1]);
    }
    const all = (Math.max(...centre) - Math.min(...centre)) / 2;
    if (all < 0.6 * half) { const mid = (Math.max(...centre) + Math.min(...centre)) / 2; half += all; centre.fill(mid); }
    for (let pass = 0; pass < 12; pass++) for (let s = 1; s < steps - 1; s++) centre[s] = (centre[s - 1] + centre[s] * 2 + centre[s + 1]) / 4;
    if (side.view === "top") {
      const mid = (Math.max(...middle) + Math.min(...middle)) / 2;
      low = mid - halfUp - 0.3; high = mid + halfUp + 0.3;
    } else { low = Math.min(low, 0) - 0.35; high = Math.max(high, 1.6) + 0.35; }
    return { a, centre, half, low, high };
  }
  choose("views", "view", (view) => { side.view = view; side.path = null; draw(true); });

  function drawSide(t) {
    const [c, w, h] = fitted($("side"));
    if (!w) return;
    side.path = side.path || path();
    const { a, centre, half, low, high } = side.path, at = clamp(t * 20, 0, centre.length - 1), s0 = Math.floor(at);
    const mid = centre[s0] + (centre[Math.min(s0 + 1, centre.length - 1)] - centre[s0]) * (at - s0);
    const scale = Math.min(w / (2 * half), h / (high - low));
    const X = (m) => w / 2 + (m - mid) * scale, Y = (m) => h - (h - scale * (high - low)) / 2 * (side.view === "top" ? 1 : 0.6) - (m - low) * scale;
    drawFloor(c, w, h, X, Y, mid, scale);
    const present = people.map((p) => [p, p.shown ? rowAt(p, t) : -1]).filter(([, row]) => row >= 0);
    const depth = ([p, row]) => p.joints[row * JOINTS * 3 + a.deep];
    present.sort((p, q) => depth(p) - depth(q));
    for (const [p, row] of present) {
      trail(c, p, X, Y, a);
      const began = performance.now();
      if (side.slow < 8) drawBody(c, p, row, X, Y, a); else drawBones(c, p, row, X, Y, a);
      side.slow = clamp(side.slow + (performance.now() - began > 60 ? 1 : -0.2), 0, 10);
      touches(c, p, row, X, Y, a);
    }
  }
  function drawFloor(c, w, h, X, Y, mid, scale) {
    const ground = Y(0), top = side.view === "top";
    c.fillStyle = colour("ground");
    if (!top) c.fillRect(0, ground, w, h - ground);
    c.strokeStyle = colour("line"); c.fillStyle = colour("soft"); c.lineWidth = 1; c.font = "11px system-ui, sans-serif";
    const reach = w / 2 / scale, step = reach > 12 ? 5 : 1;
    c.beginPath();
    for (let m = Math.ceil((mid - reach) / step) * step; m <= mid + reach; m += step) {
      c.moveTo(X(m), top ? 0 : ground); c.lineTo(X(m), top ? h : ground + 6);
      const text = m + " m";
      if (X(m) + 8 + c.measureText(text).width < w) c.fillText(text, X(m) + 4, top ? h - 6 : Math.min(ground + 16, h - 4));
    }
    if (top) for (let m = -30; m <= 30; m++) { c.moveTo(0, Y(m)); c.lineTo(w, Y(m)); }
    c.stroke();
  }
  function trail(c, p, X, Y, a) {
    c.globalAlpha = 0.45; c.strokeStyle = p.colour; c.lineWidth = 1.5; c.beginPath();
    for (let r = 0; r < p.times.length; r++) {
      const i = r * JOINTS * 3;
      c.lineTo(X(a.sign * p.joints[i + a.right]), Y(a.flip * p.joints[i + a.up]));
    }
    c.stroke(); c.globalAlpha = 1;
  }
  function shade(hex, light) {
    const v = parseInt(hex.slice(1), 16), f = (n) => Math.round(clamp(((v >> n) & 255) * light, 0, 255));
    return `rgb(${f(16)},${f(8)},${f(0)})`;
  }
  /* Painter's algorithm: faces that look at us, from far to near; light comes from above the viewer's left. */
  function drawBody(c, p, row, X, Y, a) {
    const points = skinned(p, row), faces = body.faces, count = faces.length / 3;
    const xs = new Float32Array(vertexCount), ys = new Float32Array(vertexCount), ds = new Float32Array(vertexCount);
    for (let v = 0; v < vertexCount; v++) {
      xs[v] = X(a.sign * points[3 * v + a.right]); ys[v] = Y(a.flip * points[3 * v + a.up]); ds[v] = points[3 * v + a.deep];
    }
    const near = [];
    for (let f = 0; f < count; f++) {
      const i = faces[3 * f], j = faces[3 * f + 1], k = faces[3 * f + 2];
      const cross = (xs[j] - xs[i]) * (ys[k] - ys[i]) - (ys[j] - ys[i]) * (xs[k] - xs[i]);
      if (cross < 0) near.push([ds[i] + ds[j] + ds[k], i, j, k]);
    }
    near.sort((one, two) => one[0] - two[0]);
    c.fillStyle = shade(p.colour, 0.75);
    c.beginPath();
    for (const [, i, j, k] of near) { c.moveTo(xs[i], ys[i]); c.lineTo(xs[j], ys[j]); c.lineTo(xs[k], ys[k]); }
    c.fill();
    const tones = Array.from({ length: 24 }, (_, n) => shade(p.colour, 0.42 + 0.72 * n / 23));
    for (const [, i, j, k] of near) {
      const ux = points[3 * j] - points[3 * i], uy = points[3 * j + 1] - points[3 * i + 1], uz = points[3 * j + 2] - points[3 * i + 2];
      const vx = points[3 * k] - points[3 * i], vy = points[3 * k + 1] - points[3 * i + 1], vz = points[3 * k + 2] - points[3 * i + 2];
      const n = [uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx], size = Math.hypot(...n) || 1;
      const light = (0.62 * n[1] - 0.3 * a.sign * n[a.right] + 0.65 * n[a.deep]) / size;
      c.fillStyle = tones[clamp(Math.round((light + 0.35) / 1.3 * 23), 0, 23)];
      c.beginPath(); c.moveTo(xs[i], ys[i]); c.lineTo(xs[j], ys[j]); c.lineTo(xs[k], ys[k]); c.fill();
    }
  }
  function drawBones(c, p, row, X, Y, a) {
    c.strokeStyle = p.colour; c.lineWidth = 4; c.lineCap = "round"; c.beginPath();
    for (let j = 1; j < JOINTS; j++) {
      const i = (row * JOINTS + j) * 3, k = (row * JOINTS + PARENTS[j]) * 3;
      c.moveTo(X(a.sign * p.joints[i + a.right]), Y(a.flip * p.joints[i + a.up]));
      c.lineTo(X(a.sign * p.joints[k + a.right]), Y(a.flip * p.joints[k + a.up]));
    }
    c.stroke();
  }
  function touches(c, p, row, X, Y, a) {
    c.strokeStyle = colour("touch"); c.lineWidth = 2;
    SOLES.forEach((joint, n) => {
      if (p.contacts[row * 4 + n] <= TOUCHING) return;
      const i = (row * JOINTS + joint) * 3;
      c.beginPath(); c.arc(X(a.sign * p.joints[i + a.right]), Y(a.flip * p.joints[i + a.up]), 5, 0, 7); c.stroke();
    });
  }

  /* ---- curves and the sheet of contacts and confidences ---- */
  const chosen = { person: people[0], what: "error_2d_percent", hover: null };
  const LEFT = () => (innerWidth < 760 ? 76 : 96);
  const UNITS = { error_2d_percent: "% of height", jitter_10m_s3: "10 m/s³", foot_skate_cm_s: "cm/s" };
  function bounds() {
    let high = 0;
    const log = chosen.what !== "error_2d_percent";
    for (const values of Object.values(chosen.person.measures)) {
      const sorted = Array.from(values[chosen.what]).filter(Number.isFinite).sort((p, q) => p - q);
      if (sorted.length) high = Math.max(high, log ? sorted[sorted.length - 1] : sorted[Math.floor((sorted.length - 1) * 0.98)] * 1.15);
    }
    return { log, low: log ? 0.1 : 0, high: Math.max(high, log ? 10 : 1) };
  }
  function drawCurve(t) {
    const [c, w, h] = fitted($("curve")), left = LEFT(), bottom = h - 20, { log, low, high } = bounds();
    if (!w) return;
    const X = (s) => left + (w - left - 6) * s / duration;
    const share = (v) => (log ? Math.log(Math.max(v, low) / low) / Math.log(high / low) : v / high);
    const Y = (v) => bottom - (bottom - 8) * clamp(share(v), 0, 1);
    c.font = "11px system-ui, sans-serif"; c.textBaseline = "middle";
    const ticks = log ? [0.1, 1, 10, 100, 1000, 10000].filter((v) => v <= high) : [0, 0.5, 1].map((v) => +(v * high).toPrecision(2));
    for (const v of ticks) {
      c.strokeStyle = colour("line"); c.beginPath(); c.moveTo(left, Y(v)); c.lineTo(w - 6, Y(v)); c.stroke();
      c.fillStyle = colour("soft"); c.textAlign = "right"; c.fillText(v, left - 8, Y(v));
    }
    c.fillStyle = colour("soft"); c.textAlign = "left"; c.textBaseline = "top"; c.fillText(UNITS[chosen.what], left + 6, 2);
    for (let s = 0; s <= duration; s += Math.max(1, Math.round(duration / 10))) c.fillText(s + " s", X(s), bottom + 5);
    for (const [key, tone, wide] of [["before", colour("before"), 1], ["after", colour("accent"), 2]]) {
      const values = chosen.person.measures[key] && chosen.person.measures[key][chosen.what];
      if (!values) continue;
      c.strokeStyle = tone; c.lineWidth = wide; c.lineJoin = "round"; c.beginPath();
      let open = false;
      values.forEach((v, r) => {
        if (!Number.isFinite(v)) { open = false; return; }
        const x = X(chosen.person.times[r]);
        if (open) c.lineTo(x, Y(v)); else c.moveTo(x, Y(v));
        open = true;
      });
      c.stroke();
    }
    head(c, X(t), 4, bottom);
    const row = rowAt(chosen.person, chosen.hover ?? t), shown = (v) => (Number.isFinite(v) ? v.toPrecision(3) : "–");
    const read = ["before", "after"].map((key) => (row < 0 || !chosen.person.measures[key] ? "–" : shown(chosen.person.measures[key][chosen.what][row])));
    $("reading").textContent = `${(chosen.hover ?? t).toFixed(2)} s: ${read[0]} → ${read[1]} ${UNITS[chosen.what]}`;
  }
  function head(c, x, top, bottom) {
    c.strokeStyle = colour("ink"); c.lineWidth = 1; c.beginPath(); c.moveTo(x, top); c.lineTo(x, bottom); c.stroke();
  }
  const ORDER = [15, 12, 13, 16, 18, 20, 22, 14, 17, 19, 21, 23, 9, 6, 3, 0, 1, 4, 7, 10, 2, 5, 8, 11];
  const FEET = ["left heel", "left toe", "right heel", "right toe"];
  const ROW = 13, GAP = 8;
  const sheet = { picture: null, of: null, dark: null };
  function mixed(share) {
    const [low, high] = [colour("low"), colour("high")].map((hex) => parseInt(hex.slice(1), 16));
    return [16, 8, 0].map((n) => Math.round(((low >> n) & 255) * (1 - share) + ((high >> n) & 255) * share));
  }
  /* One pixel a frame and a joint; drawn stretched. */
  function sheetPicture() {
    const p = chosen.person, frames = p.times.length, picture = document.createElement("canvas");
    picture.width = frames; picture.height = JOINTS;
    const c = picture.getContext("2d"), image = c.createImageData(frames, JOINTS), ramp = Array.from({ length: 256 }, (_, n) => mixed(n / 255));
    ORDER.forEach((joint, y) => {
      for (let x = 0; x < frames; x++) image.data.set([...ramp[p.confidence[x * JOINTS + joint]], 255], 4 * (y * frames + x));
    });
    c.putImageData(image, 0, 0);
    return picture;
  }
  function drawSheet(t) {
    const canvas = $("sheet");
    canvas.style.height = 4 * ROW + GAP + JOINTS * ROW + 20 + "px";
    const [c, w] = fitted(canvas), left = LEFT(), p = chosen.person, dark = colour("paper");
    if (!w) return;
    if (sheet.of !== p || sheet.dark !== dark) Object.assign(sheet, { picture: sheetPicture(), of: p, dark });
    const X = (s) => left + (w - left - 6) * s / duration, first = X(p.times[0]), last = Math.max(X(p.times[p.times.length - 1]), first + 2);
    c.font = (innerWidth < 760 ? 9 : 11) + "px system-ui, sans-serif"; c.textAlign = "right"; c.textBaseline = "middle"; c.fillStyle = colour("soft");
    FEET.forEach((name, n) => c.fillText(name, left - 8, (n + 0.5) * ROW));
    ORDER.forEach((joint, n) => c.fillText(told.joints[joint], left - 8, 4 * ROW + GAP + (n + 0.5) * ROW));
    c.imageSmoothingEnabled = false;
    c.drawImage(sheet.picture, first, 4 * ROW + GAP, last - first, JOINTS * ROW);
    c.fillStyle = colour("touch");
    const wide = (last - first) / p.times.length;
    for (let n = 0; n < 4; n++) for (let r = 0; r < p.times.length; r++) {
      if (p.contacts[r * 4 + n] > TOUCHING) c.fillRect(X(p.times[r]) - wide / 2, n * ROW + 2, wide + 0.6, ROW - 4);
    }
    c.fillStyle = colour("soft"); c.textAlign = "left"; c.textBaseline = "top";
    for (let s = 0; s <= duration; s += Math.max(1, Math.round(duration / 10))) c.fillText(s + " s", X(s), 4 * ROW + GAP + JOINTS * ROW + 5);
    head(c, X(t), 0, 4 * ROW + GAP + JOINTS * ROW);
  }
  function timeUnder(canvas, event) {
    const left = LEFT(), box = canvas.getBoundingClientRect();
    return clamp((event.clientX - box.left - left) / (box.width - left - 6), 0, 1) * duration;
  }
  for (const id of ["curve", "sheet"]) {
    const canvas = $(id);
    canvas.addEventListener("click", (event) => seek(timeUnder(canvas, event)));
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons && event.pointerType === "mouse") seek(timeUnder(canvas, event));
      chosen.hover = timeUnder(canvas, event);
      if (id === "sheet") under(event, canvas); else if (!clock.playing) drawCurve(clock.t);
    });
    canvas.addEventListener("pointerleave", () => { chosen.hover = null; $("cell").textContent = ""; drawCurve(clock.t); });
  }
  function under(event, canvas) {
    const y = event.clientY - canvas.getBoundingClientRect().top, n = Math.floor((y - 4 * ROW - GAP) / ROW), row = rowAt(chosen.person, chosen.hover);
    const joint = ORDER[n];
    $("cell").textContent = row < 0 || joint === undefined ? "" :
      `${told.joints[joint]} at ${chosen.hover.toFixed(2)} s: ${(chosen.person.confidence[row * JOINTS + joint] / 255).toFixed(2)}`;
  }
  choose("what", "what", (what) => { chosen.what = what; drawCurve(clock.t); });
  function personButton(p, pressed) {
    const button = document.createElement("button");
    button.type = "button"; button.dataset.person = p.number; button.setAttribute("aria-pressed", pressed);
    button.style.setProperty("--person", p.colour);
    button.append(document.createElement("i"), "Person " + p.number);
    return button;
  }
  people.forEach((p, n) => $("who").append(personButton(p, n === 0)));
  choose("who", "person", (number) => { chosen.person = people.find((p) => p.number === +number); draw(true); });

  /* ---- everything at one time ---- */
  function draw(now) {
    const t = clamp(clock.t, 0, duration);
    if (document.activeElement !== $("scrub") || clock.playing) $("scrub").value = t / duration;
    $("clock").textContent = t.toFixed(2) + " s";
    drawSide(t); drawCurve(t); drawSheet(t); space.draw(now);
  }
  addEventListener("resize", () => draw(true));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    draw(true);
    space.recolour();
  });
  const space = viewInSpace({ $, PARENTS, JOINTS, TOUCHING, SOLES, people, clock, colour, clamp, rowAt, personButton, draw });
  draw(true);
  window.mrsReport = { clock, people, seek };
  /* The library of the view in space is large: it is read once the page stands and has been painted. */
  function readLibrary() {
    const script = document.createElement("script");
    script.textContent = $("plotly").textContent;
    document.head.append(script);
    space.start();
  }
  addEventListener("load", () => requestAnimationFrame(() => setTimeout(readLibrary)));
})();
