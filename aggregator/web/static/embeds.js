// Loads a network's own embed of a post on a click. Without this script the button is a link to the post.
"use strict";

(() => {
  const shown = new Map(); // frames by their windows
  const tallest = 4000; // pixels
  const deepest = 6; // levels of a message

  function open(button) {
    const frame = document.createElement("iframe");
    const isDark = matchMedia("(prefers-color-scheme: dark)").matches;
    frame.className = "post-frame";
    frame.title = button.dataset.title;
    frame.allowFullscreen = true;
    frame.referrerPolicy = "strict-origin-when-cross-origin";
    // Its own origin and scripts, but no navigation of this page.
    frame.setAttribute("sandbox", "allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox");
    frame.src = isDark ? button.dataset.frameDark : button.dataset.frame;
    button.closest(".on-request").replaceChildren(frame);
    shown.set(frame.contentWindow, frame);
    frame.focus();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-frame]");
    if (!button || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(button);
  });

  // A link answers to Enter; what looks like a button answers to the space bar, too.
  document.addEventListener("keydown", (event) => {
    const button = event.key === " " && event.target.closest?.("[data-frame]");
    if (!button) return;
    event.preventDefault();
    open(button);
  });

  // The embed reports its height in a message whose form is the network's: the first number named "height" counts.
  function heightIn(value, depth = 0) {
    if (value === null || typeof value !== "object" || depth > deepest) return null;
    if (typeof value.height === "number") return value.height;
    for (const part of Object.values(value)) {
      const height = heightIn(part, depth + 1);
      if (height !== null) return height;
    }
    return null;
  }

  window.addEventListener("message", (event) => {
    const frame = shown.get(event.source);
    if (!frame || event.origin !== new URL(frame.src).origin) return;
    let message = event.data;
    if (typeof message === "string") {
      try {
        message = JSON.parse(message);
      } catch {
        return;
      }
    }
    const height = heightIn(message);
    if (height > 0) frame.style.height = `${Math.min(Math.ceil(height), tallest)}px`;
  });
})();
