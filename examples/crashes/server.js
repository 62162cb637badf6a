const delay = Number(process.env.CRASH_AFTER_MS ?? 500);

console.log("starting");
setTimeout(() => {
  console.error("cannot read the configuration: DATABASE_URL is not set");
  process.exit(1);
}, delay);
