if (!process.env.PUBLIC_URL) throw new Error("PUBLIC_URL is required");
