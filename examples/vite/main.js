// A router in the browser: the server answers every path with the same page.
document.querySelector("#path").textContent = `This is ${location.pathname}.`;
