/* A form with data-key asks the browser for a passkey or security key and sends its answer.
   "create" makes a new key, "get" uses one. The options stand in the page as JSON. */
"use strict";

document.querySelectorAll("form[data-key]").forEach((form) => {
  const failed = document.getElementById("key-failed");
  const options = JSON.parse(document.getElementById("key-data").textContent);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    failed.hidden = true;
    try {
      const answer =
        form.dataset.key === "create"
          ? await window.webauthnJSON.create(options.creation_options)
          : await window.webauthnJSON.get(options.request_options);
      form.elements.credential.value = JSON.stringify(answer);
      form.submit();
    } catch (error) {
      failed.hidden = false;
    }
  });
});
