console.log("building");
console.error("error: src/index.ts(3,7): '}' expected");
process.exit(2);
