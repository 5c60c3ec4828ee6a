// Prints the worksheet and nothing else; app.css hides the rest while the body has this class.
() => {
  document.body.classList.add("mt-printing");
  window.addEventListener("afterprint", () => document.body.classList.remove("mt-printing"), { once: true });
  window.print();
}
