"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const contents = JSON.parse(byId("contents").textContent);
  const COLORS = ["#edb876", "#8cadd9"]; // of the reconstruction and the reference
  const TURN = Math.PI / 12;
  const ZOOM = 1.15;
  const DISTANCE = 1.35; // of the camera at first, in edges of the cube, if that is wide

  // ---- contents ---------------------------------------------------------------

  async function inflate(text) {
    const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
    const stream = new Blob([bytes]).stream();
    return new Response(stream.pipeThrough(new DecompressionStream("deflate")));
  }

  async function readArray(Type, text) {
    return new Type(await (await inflate(text)).arrayBuffer());
  }

  let library;
  function loadPlotly() {
    library ??= (async () => {
      const script = document.createElement("script");
      script.textContent = await (await inflate(byId("library").textContent)).text();
      document.head.append(script);
      return window.Plotly;
    })();
    return library;
  }

  // ---- curves -----------------------------------------------------------------

  async function drawCharts() {
    const Plotly = await loadPlotly();
    const options = { displayModeBar: false, responsive: true };
    for (const [name, figure] of Object.entries(contents.charts)) {
      await Plotly.newPlot(byId(name), figure.data, figure.layout, options);
    }
  }

  // ---- solids -----------------------------------------------------------------

  async function readSolid(solid) {
    const faces = solid.faces === "template" ? contents.faces : solid.faces;
    const [points, indices] = await Promise.all([
      readArray(Float32Array, solid.vertices),
      readArray(Uint32Array, faces),
    ]);
    const column = (array, k) => array.filter((_, index) => index % 3 === k);
    return {
      type: "mesh3d",
      x: column(points, 0), y: column(points, 1), z: column(points, 2),
      i: column(indices, 0), j: column(indices, 1), k: column(indices, 2),
      flatshading: true,
      hoverinfo: "skip",
      lighting: { ambient: 0.45, diffuse: 0.75, specular: 0.1, roughness: 0.9 },
      lightposition: { x: 3000, y: 6000, z: 9000 },
    };
  }

  function layOut(name, scene, camera) {
    const axis = (range) => ({ visible: false, range, autorange: false });
    const [x, y, z] = scene.cube.map(axis);
    return {
      margin: { l: 0, r: 0, t: 0, b: 0 },
      paper_bgcolor: "rgba(0,0,0,0)",
      [name]: {
        xaxis: x, yaxis: y, zaxis: z, camera,
        aspectmode: "cube",
        dragmode: "turntable",
      },
    };
  }

  const scale = (vector, factor) => ({
    x: factor * vector.x, y: factor * vector.y, z: factor * vector.z,
  });

  function firstCamera(scene) {
    const [x, y, z] = scene.eye;
    const narrowness = Math.max(1, panes[0].clientHeight / panes[0].clientWidth);
    return {
      eye: scale({ x, y, z }, DISTANCE * narrowness),
      center: { x: 0, y: 0, z: 0 },
      up: { x: 0, y: 0, z: 1 },
    };
  }

  /** Turns the eye about the vertical, and towards it, by angles in radians. */
  function turn(eye, around, upwards) {
    const radius = Math.hypot(eye.x, eye.y, eye.z);
    const azimuth = Math.atan2(eye.y, eye.x) + around;
    const limit = Math.PI / 2 - 0.01;
    const raised = Math.asin(eye.z / radius) + upwards;
    const elevation = Math.max(-limit, Math.min(limit, raised));
    const level = radius * Math.cos(elevation);
    return {
      x: level * Math.cos(azimuth),
      y: level * Math.sin(azimuth),
      z: radius * Math.sin(elevation),
    };
  }

  function hasWebGL() {
    const context = document.createElement("canvas").getContext("webgl");
    context?.getExtension("WEBGL_lose_context")?.loseContext();
    return context !== null;
  }

  // ---- the dialog: one pair of views for all objects, so two WebGL contexts -----

  const dialog = byId("viewer");
  const panes = [byId("viewer-mesh"), byId("viewer-reference")];
  const names = ["scene", "scene2"]; // plotly makes them identifiers in the page
  const buttons = [...document.querySelectorAll("button[data-scene]")];
  let shown = -1;
  let camera;

  function place(next, except) {
    camera = next;
    for (const [number, pane] of panes.entries()) {
      if (pane !== except && pane.data) {
        window.Plotly.relayout(pane, { [`${names[number]}.camera`]: camera });
      }
    }
  }

  function follow(pane, name) {
    let moving = false;
    const move = (event) => {
      const next = event[`${name}.camera`];
      // the other pane answers with the camera that it was given
      if (next && !moving && JSON.stringify(next.eye) !== JSON.stringify(camera.eye)) {
        moving = true;
        place({ eye: next.eye, center: next.center, up: next.up }, pane);
        moving = false;
      }
    };
    pane.on("plotly_relayouting", move);
    pane.on("plotly_relayout", move);
  }

  async function draw(scene) {
    const Plotly = await loadPlotly();
    const options = { displayModeBar: false, responsive: true, scrollZoom: true };
    camera = firstCamera(scene);
    const solids = await Promise.all(scene.solids.map(readSolid));
    for (const [number, pane] of panes.entries()) {
      pane.parentElement.hidden = number >= solids.length;
      if (number < solids.length) {
        const name = names[number];
        const trace = { ...solids[number], scene: name, color: COLORS[number] };
        const fresh = !pane.data;
        await Plotly.react(pane, [trace], layOut(name, scene, camera), options);
        if (fresh) follow(pane, name);
        await Plotly.Plots.resize(pane);
      }
    }
    place(camera);
  }

  let drawing = Promise.resolve();

  function show(number) {
    shown = (number + buttons.length) % buttons.length;
    const wanted = shown;
    const button = buttons[shown];
    const image = button.closest(".card").querySelector("img");
    byId("viewer-title").textContent = button.dataset.title;
    byId("viewer-score").textContent = button.dataset.score;
    byId("viewer-input").src = image.src;
    byId("viewer-input").alt = image.alt;
    byId("viewer-message").textContent = "Drawing.";
    dialog.setAttribute("aria-busy", "true");
    if (!dialog.open) dialog.showModal();
    byId("viewer-title").focus();
    drawing = drawing.then(async () => {
      if (wanted !== shown) return; // another one has been asked for meanwhile
      const message = await describeDrawing(contents.scenes[button.dataset.scene]);
      if (wanted !== shown) return;
      byId("viewer-message").textContent = message;
      dialog.setAttribute("aria-busy", "false");
    });
  }

  /** Draws a scene; returns what there is to say about it. */
  async function describeDrawing(scene) {
    try {
      if (!hasWebGL()) throw new Error("this browser has no WebGL");
      await draw(scene);
    } catch (error) {
      return `The solids cannot be drawn: ${error.message}.`;
    }
    return scene.solids.length > 1 ? "" : "There are no true voxels to compare with.";
  }

  const actions = {
    left: () => place({ ...camera, eye: turn(camera.eye, -TURN, 0) }),
    right: () => place({ ...camera, eye: turn(camera.eye, TURN, 0) }),
    up: () => place({ ...camera, eye: turn(camera.eye, 0, TURN) }),
    down: () => place({ ...camera, eye: turn(camera.eye, 0, -TURN) }),
    closer: () => place({ ...camera, eye: scale(camera.eye, 1 / ZOOM) }),
    farther: () => place({ ...camera, eye: scale(camera.eye, ZOOM) }),
    reset: () => place(firstCamera(contents.scenes[buttons[shown].dataset.scene])),
    previous: () => show(shown - 1),
    next: () => show(shown + 1),
    close: () => dialog.close(),
  };
  const WALKS = new Set(["previous", "next", "close"]); // they need no camera
  const KEYS = {
    ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down",
    "+": "closer", "=": "closer", "-": "farther", "0": "reset",
  };

  buttons.forEach((button, number) => {
    button.hidden = false;
    button.addEventListener("click", () => show(number));
  });
  dialog.addEventListener("click", (event) => {
    const action = event.target.dataset.do;
    if (camera || WALKS.has(action)) actions[action]?.();
  });
  dialog.addEventListener("keydown", (event) => {
    const action = KEYS[event.key];
    if (action && camera && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      actions[action]();
    }
  });
  dialog.addEventListener("close", () => buttons[shown]?.focus());

  drawCharts();
})();
