// Prints the worksheet and nothing else: what stands around it gets a class that app.css hides on paper.
() => {
  const around = document.querySelectorAll(".mt-header, #mt-tabs .tab-wrapper, #mt-tabs .mt-columns, #mt-tabs .mt-lead");
  around.forEach((each) => each.classList.add("mt-unprinted"));
  window.addEventListener("afterprint", () => around.forEach((each) => each.classList.remove("mt-unprinted")), { once: true });
  window.print();
}
