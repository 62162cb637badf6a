console.log("Hello from Laravel");
