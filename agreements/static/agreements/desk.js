/* Helps at the forms of the staff desk. Everything works without it. */
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const form = document.querySelector("#content-main form");
  if (!form) {
    return;
  }

  // Why it was not saved is read first.
  const head = form.querySelector(".desk-head");
  if (head) {
    // Last of all: the admin's change_form.js, which comes at no set time, focuses the first field.
    window.addEventListener("load", () => head.focus());
  }

  // A link to a field opens what it is folded into, and goes to what stands for a hidden select.
  form.addEventListener("click", (event) => {
    const link = event.target.closest('.desk-head a[href^="#"]');
    const target = link && document.getElementById(link.hash.slice(1));
    if (!target) {
      return;
    }
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) {
      fold.open = true;
    }
    const stand = target.classList.contains("select2-hidden-accessible")
      ? target.parentElement.querySelector(".select2-selection, .select2-search__field")
      : target;
    if (!stand.matches("input, select, textarea, [tabindex]")) {
      stand.tabIndex = -1;
    }
    event.preventDefault();
    stand.scrollIntoView({ block: "center" });
    stand.focus({ preventScroll: true });
  });

  // "Save and continue" comes back to the section where one was.
  const place = form.elements.namedItem("place");
  form.addEventListener("focusin", (event) => {
    const section = event.target.closest(".desk-section");
    if (place && section) {
      place.value = section.id;
    }
  });

  // What was found by typing has a name for those who do not see the label.
  const name = (root) => {
    for (const select of root.querySelectorAll("select.select2-hidden-accessible")) {
      const label = form.querySelector(`label[for="${select.id}"]`);
      const stand = select.parentElement.querySelector(".select2-selection");
      if (!label || !stand) {
        continue;
      }
      label.id = label.id || `${select.id}_label`;
      const shown = select.multiple ? "" : ` ${stand.getAttribute("aria-labelledby") || ""}`;
      if (!stand.dataset.named) {
        stand.setAttribute("aria-labelledby", `${label.id}${shown}`);
        stand.dataset.named = "yes";
      }
      for (const chosen of stand.querySelectorAll('[role="textbox"].select2-selection__rendered')) {
        chosen.setAttribute("aria-labelledby", label.id);
      }
      for (const field of stand.querySelectorAll(".select2-search__field")) {
        field.setAttribute("aria-label", label.textContent.trim());
      }
    }
  };
  // After those who turn the selects into what is found by typing.
  window.setTimeout(() => name(form), 0);
  window.addEventListener("load", () => name(form));
  document.addEventListener("formset:added", (event) => {
    const row = event.target;
    window.setTimeout(() => name(row), 0);

    // A new provision begins with the source of the row above.
    if (event.detail.formsetName === "provisions") {
      const above = row.previousElementSibling;
      const theirs = above && above.querySelector('input[name$="-source"]');
      const own = row.querySelector('input[name$="-source"]');
      if (theirs && own && !own.value) {
        own.value = theirs.value;
      }
    }
    const first = row.querySelector("input:not([type=hidden]), select, textarea");
    if (first) {
      first.focus();
    }
  });
  if (window.django && window.django.jQuery) {
    window.django.jQuery(document).on("select2:open", (event) => {
      const label = form.querySelector(`label[for="${event.target.id}"]`);
      const field = document.querySelector(".select2-container--open .select2-search__field");
      if (label && field) {
        field.setAttribute("aria-label", label.textContent.trim());
        field.focus();
      }
    });
  }
});
