const test = require("node:test");
const assert = require("node:assert");

test("sums", () => assert.strictEqual(1 + 1, 3));
