throw new Error("the build failed, so this must never start");
