// Updates preview and code of the embed's builder after each change, and copies code. Without it, the form reloads.
"use strict";

(() => {
  const form = document.querySelector("[data-builder]");
  const result = document.getElementById("result");
  let turn = 0;

  function addCopyButtons() {
    for (const code of result.querySelectorAll(".snippet pre")) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button";
      button.textContent = form.dataset.copy;
      button.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(code.textContent);
          button.textContent = form.dataset.copied;
        } catch {
          getSelection().selectAllChildren(code); // without permission, the person copies it
          button.textContent = form.dataset.selected;
        }
      });
      code.after(button);
    }
  }

  async function update() {
    const own = ++turn;
    const values = [...new FormData(form)].filter(([, value]) => value !== "");
    const address = `${form.action}?${new URLSearchParams(values)}`;
    try {
      const answer = await fetch(address);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const made = page.getElementById("result");
      if (own !== turn || !answer.ok || !made) return;
      result.replaceChildren(...made.childNodes);
      history.replaceState(null, "", address);
      addCopyButtons();
    } catch {
      // The button still updates the page.
    }
  }

  form.addEventListener("change", update);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    update();
  });
  addCopyButtons();
})();
