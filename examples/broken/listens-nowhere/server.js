console.log("waiting for jobs");
setInterval(() => {}, 1000);
