"use strict";

const narrow = matchMedia("(max-width: 40rem)");

// Tells when an element comes near the screen, once: what is heavy is made then.
function whenNear(elements, make) {
  const near = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) {
        near.unobserve(target);
        make(target);
      }
    }
  }, { rootMargin: "800px" });
  for (const element of elements) near.observe(element);
}

// A still figure lies behind <noscript> as text. Its PNG is the image itself: in the page once.
function show(still) {
  const hidden = still.querySelector("noscript");
  if (!hidden) return;
  const image = new DOMParser().parseFromString(hidden.textContent, "text/html").querySelector("img");
  hidden.replaceWith(document.adoptNode(image));
  const link = still.closest("figure").querySelector("a[download]");
  if (link) link.href = image.src;
  image.decode().then(() => stack(still), () => {});
}

// On a narrow screen the panels of a figure stand one below the other.
async function stack(still) {
  const boxes = JSON.parse(still.dataset.panels || "[]");
  const image = still.querySelector("img");
  if (!narrow.matches || !image || !boxes.length || still.querySelector("canvas")) return;
  const canvases = boxes.map(([left, top, width, height]) => {
    const canvas = document.createElement("canvas");
    const [across, down] = [image.naturalWidth, image.naturalHeight];
    canvas.width = Math.round(width * across);
    canvas.height = Math.round(height * down);
    canvas.getContext("2d").drawImage(
      image, left * across, top * down, canvas.width, canvas.height, 0, 0, canvas.width, canvas.height);
    // a legend keeps its size, a panel is as wide as the screen
    canvas.style.width = height < 0.12 || width < 0.12 ? `${width * image.width}px` : "100%";
    canvas.setAttribute("aria-hidden", "true");
    return canvas;
  });
  still.classList.add("stacked");
  still.append(...canvases);
}

const stills = document.querySelectorAll(".still");
// a still that an interactive figure hides is never near: its figure is
whenNear([...stills].map((still) => still.closest("figure")), (figure) => show(figure.querySelector(".still")));
narrow.addEventListener("change", () => stills.forEach(stack));
addEventListener("beforeprint", () => stills.forEach(show));
matchMedia("print").addEventListener("change", ({ matches }) => matches && stills.forEach(show));

// A command is copied as a whole.
for (const command of document.querySelectorAll(".command")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "tool";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    const text = command.querySelector("code");
    getSelection().selectAllChildren(text);
    const copied = await navigator.clipboard?.writeText(text.textContent).then(() => true, () => false);
    button.textContent = copied || document.execCommand("copy") ? "Copied" : "Selected";
  });
  command.append(button);
}

// A table is sorted by the heading that is pressed: numbers by size, the largest first.
function value(cell, numeric) {
  const text = cell.textContent.trim().replace(/^[<>]\s*/, "").replaceAll(",", "").replace("\u2212", "-");
  return numeric ? (text ? parseFloat(text) : NaN) : text;
}
function order(a, b) {
  if (typeof a === "string") return a.localeCompare(b, undefined, { numeric: true });
  return a - b;
}
for (const head of document.querySelectorAll("thead th")) {
  const button = document.createElement("button");
  button.type = "button";
  button.append(...head.childNodes);
  head.append(button);
  button.addEventListener("click", () => {
    const [table, column] = [head.closest("table"), head.cellIndex];
    const numeric = head.classList.contains("number");
    const before = head.getAttribute("aria-sort");
    const down = before ? before === "ascending" : numeric;
    const rows = [...table.tBodies[0].rows].map((row) => [value(row.cells[column], numeric), row]);
    const empty = ([key]) => key === "" || Number.isNaN(key);
    const filled = rows.filter((row) => !empty(row)).sort(([a], [b]) => (down ? order(b, a) : order(a, b)));
    table.tBodies[0].append(...[...filled, ...rows.filter(empty)].map(([, row]) => row));
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
  });
}

// The page's colours and letters, as plotly wants them: its canvas does not see our style sheet.
function template(div) {
  const style = getComputedStyle(div);
  const colour = (name) => style.getPropertyValue(name).trim();
  const clear = "rgba(0,0,0,0)";
  const axis = {
    color: colour("--soft"), gridcolor: colour("--rule"), zerolinecolor: colour("--rule"),
    linecolor: colour("--rule"), backgroundcolor: clear,
  };
  const marker = { marker: { line: { color: colour("--paper"), width: 0.5 } } };
  return {
    data: { scatter: [marker], scatter3d: [marker] },
    layout: {
      paper_bgcolor: clear, plot_bgcolor: clear, colorway: [colour("--link")],
      font: { color: colour("--ink"), family: colour("--sans"), size: 12 },
      hoverlabel: { font: { family: colour("--sans") } },
      modebar: { bgcolor: clear, color: colour("--soft"), activecolor: colour("--ink") },
      xaxis: axis, yaxis: axis, scene: { xaxis: axis, yaxis: axis, zaxis: axis },
    },
  };
}

// A box above the figure: the node whose name is written in it is ringed, the others fade.
function addSearch(div) {
  const nodes = new Map();
  for (const { ids, x, y, z } of div.data) {
    (ids || []).forEach((id, i) => nodes.set(id, { x: [x[i]], y: [y[i]], ...(z && { z: [z[i]] }) }));
  }
  if (!nodes.size) return;
  const label = document.createElement("label");
  const input = document.createElement("input");
  const list = document.createElement("datalist");
  label.className = "find";
  list.id = `${div.id}-nodes`;
  list.append(...[...nodes.keys()].map((name) => new Option(name)));
  input.type = "search";
  input.setAttribute("list", list.id);
  label.append("Find a node", input, list);
  div.before(label);
  const ring = div.data.length;
  const named = [...div.data.keys()].filter((i) => div.data[i].ids);
  input.addEventListener("input", async () => {
    const place = nodes.get(input.value.trim());
    if (div.data.length > ring) await Plotly.deleteTraces(div, ring);
    await Plotly.restyle(div, { "marker.opacity": place ? 0.25 : 1 }, named);
    if (place) await Plotly.addTraces(div, {
      ...place, type: div.data[0].type, mode: "markers", hoverinfo: "skip", showlegend: false,
      marker: {
        symbol: "circle-open", size: 24, color: getComputedStyle(div).color, line: { width: 3 },
      },
    });
  });
}

// All buttons are named here: among plotly's own is one that sends the figure to a server.
const buttons = {
  flat: [["toImage"], ["zoom2d", "pan2d"], ["zoomIn2d", "zoomOut2d", "resetScale2d"]],
  solid: [["toImage"], ["tableRotation", "orbitRotation", "pan3d", "zoom3d"], ["resetCameraDefault3d"]],
};

// plotly.js is unpacked and run when its first figure is reached.
let library;
function loadPlotly() {
  library ??= (async () => {
    const packed = document.getElementById("plotly").textContent;
    const bytes = Uint8Array.from(atob(packed), (letter) => letter.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
  })();
  return library;
}

async function draw(div) {
  await loadPlotly();
  const { data, layout } = JSON.parse(div.nextElementSibling.textContent);
  await Plotly.newPlot(div, data, { ...layout, template: template(div) }, {
    responsive: true, displaylogo: false, modeBarButtons: layout.scene ? buttons.solid : buttons.flat,
  });
  addSearch(div);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    Plotly.relayout(div, { template: template(div) }));
}

// Figures are drawn when they come near, too, since a browser has few WebGL contexts.
const plots = document.querySelectorAll(".plot");
plots.forEach((div, i) => {
  div.id = `plot-${i}`;
  // the wheel scrolls the page; pinching, or Ctrl or Cmd with the wheel, zooms
  div.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
  }, { capture: true, passive: true });
});
whenNear(plots, draw);
