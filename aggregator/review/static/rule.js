// Shows the inputs that the chosen fields need, and suggests values. The form also works without this script.
"use strict";

(() => {
  const form = document.getElementById("rule");
  if (!form) return;
  const pauseMs = 150; // after the last key, before suggestions are requested
  let newest = 0;
  let typing = 0;
  form.classList.add("scripted");

  // The server decides on the inputs; only that part of the form is replaced.
  form.addEventListener("change", async (event) => {
    const chosen = event.target;
    if (!chosen.matches("[data-refresh]")) return;
    const turn = ++newest;
    const fields = new URLSearchParams(new FormData(form));
    fields.set("do", "fields");
    const answer = await fetch(form.getAttribute("action"), { method: "POST", body: fields, headers: { Accept: "text/html" } }).catch(() => null);
    if (!answer?.ok || turn !== newest) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const parts = page.getElementById("parts");
    if (!parts || turn !== newest) return;
    document.getElementById("parts").replaceWith(parts);
    form.elements.namedItem(chosen.name)?.focus();
  });

  form.addEventListener("input", (event) => {
    const input = event.target;
    if (!input.dataset.suggests) return;
    clearTimeout(typing);
    typing = setTimeout(() => suggest(input).catch(() => undefined), pauseMs);
  });

  async function suggest(input) {
    const words = input.value;
    const answer = await fetch(`${form.dataset.suggest}?${new URLSearchParams([["field", input.dataset.suggests], ["q", words]])}`);
    if (!answer.ok || input.value !== words) return;
    const found = await answer.json();
    input.list.replaceChildren(...found.map(({ value, label }) => {
      const option = document.createElement("option");
      option.value = value;
      option.textContent = label;
      return option;
    }));
  }
})();
