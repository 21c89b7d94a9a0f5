"use strict";

// A figure's PNG is the image itself: it is in the page once.
for (const link of document.querySelectorAll("figcaption a:not([href])")) {
  link.href = link.closest("figure").querySelector("img").src;
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

async function draw(div) {
  const { data, layout } = JSON.parse(div.nextElementSibling.textContent);
  await Plotly.newPlot(div, data, { ...layout, template: template(div) }, {
    responsive: true, displaylogo: false, modeBarButtons: layout.scene ? buttons.solid : buttons.flat,
  });
  addSearch(div);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () =>
    Plotly.relayout(div, { template: template(div) }));
}

// Figures are drawn when they come near: a browser has few WebGL contexts.
const near = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (isIntersecting) {
      near.unobserve(target);
      draw(target);
    }
  }
}, { rootMargin: "400px" });

document.querySelectorAll(".plot").forEach((div, i) => {
  div.id = `plot-${i}`;
  // the wheel scrolls the page; pinching, or Ctrl or Cmd with the wheel, zooms
  div.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) event.stopPropagation();
  }, { capture: true, passive: true });
  near.observe(div);
});
