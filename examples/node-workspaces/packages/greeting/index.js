import ms from "ms";

export const greeting = (from) => `Hello from ${from}, up for ${ms(Math.round(process.uptime() * 1000))}\n`;
