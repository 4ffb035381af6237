// Before the first paint: the colours that were chosen here last time. Not a module, because modules wait.
try {
  document.documentElement.dataset.theme = localStorage.getItem("antiphon.theme") ?? "system";
} catch {
  document.documentElement.dataset.theme = "system";
}
