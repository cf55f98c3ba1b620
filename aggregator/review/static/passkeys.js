// Passkeys: ask the browser to make or use one, and send its message with the form. Without this script, or in a browser
// without passkeys, the forms stay hidden.
"use strict";

(() => {
  if (!window.PublicKeyCredential || !navigator.credentials) return;

  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  const text = (buffer) =>
    btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const decoded = (list) => (list || []).map((item) => ({ ...item, id: bytes(item.id) }));

  function message(credential) {
    const answer = credential.response;
    const parts = { clientDataJSON: text(answer.clientDataJSON) };
    for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (answer[name]) parts[name] = text(answer[name]);
    }
    return JSON.stringify({ id: credential.id, rawId: text(credential.rawId), type: credential.type, response: parts });
  }

  async function run(form) {
    const fetched = await fetch(form.dataset.options, { headers: { "X-Desk": "part" } });
    if (!fetched.ok) throw new Error("The review desk is not responding. Reload the page.");
    const { challenge, options } = await fetched.json();
    options.challenge = bytes(options.challenge);
    if (options.user) options.user.id = bytes(options.user.id);
    if (options.excludeCredentials) options.excludeCredentials = decoded(options.excludeCredentials);
    if (options.allowCredentials) options.allowCredentials = decoded(options.allowCredentials);
    const credential = await navigator.credentials[form.dataset.passkey]({ publicKey: options });
    form.elements.challenge.value = challenge;
    form.elements.credential.value = message(credential);
    form.submit();
  }

  const reasons = {
    NotAllowedError: "No passkey was used. Try again, or choose another way.",
    InvalidStateError: "This device already has a passkey for your account.",
  };

  document.querySelectorAll("form[data-passkey]").forEach((form) => {
    form.hidden = false;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const button = form.querySelector("button");
      const status = form.querySelector("[role=alert]");
      button.disabled = true;
      status.textContent = "";
      run(form).catch((problem) => {
        button.disabled = false;
        status.textContent = reasons[problem.name] || problem.message;
      });
    });
  });
})();
