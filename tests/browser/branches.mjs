// Branches that are pushed and deleted, as somebody who works on a site does, and the forge that tells of it.
import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const NOTHING = "0".repeat(40);

/** A working copy of one of the repositories. */
export class Copy {
  constructor(repository) {
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), "orbitra-branches-"));
    this.origin = path.join(process.env.ORB_GIT ?? "", `${repository}.git`);
    this.hook = { url: "", secret: "" };
  }

  async git(...words) {
    const { stdout } = await run("git", ["-C", this.directory, "-c", "user.name=Grace", "-c", "user.email=grace@example.com", ...words], {
      env: { ...process.env, GIT_CONFIG_GLOBAL: "/dev/null", LC_ALL: "C" },
    });
    return stdout.trim();
  }

  async clone() {
    await run("git", ["clone", "-q", this.origin, this.directory]);
  }

  /** Commits files to a branch, pushes it, and has the forge tell of it. Answers the commit. */
  async push(branch, files, message) {
    await this.git("checkout", "-q", "-B", branch, "origin/main");
    for (const [name, content] of Object.entries(files)) fs.writeFileSync(path.join(this.directory, name), content);
    await this.git("add", "-A");
    await this.git("commit", "-q", "-m", message);
    await this.git("push", "-q", "--force", "origin", branch);
    const after = await this.git("rev-parse", "HEAD");
    const answer = await this.tell({ ref: `refs/heads/${branch}`, before: NOTHING, after, created: true, commits: [] });
    if (answer.status !== "accepted") throw new Error(`the push was answered ${JSON.stringify(answer)}`);
    return after;
  }

  /** Deletes a branch, and has the forge tell of it. */
  async remove(branch) {
    await this.git("push", "-q", "origin", `:${branch}`);
    return this.tell({ ref: `refs/heads/${branch}`, before: await this.git("rev-parse", branch), after: NOTHING, deleted: true, commits: [] });
  }

  /** Tells of a push as GitHub does. */
  async tell(push) {
    const body = JSON.stringify({ ...push, repository: { default_branch: "main" } });
    const headers = {
      "content-type": "application/json",
      "x-github-event": "push",
      "x-github-delivery": crypto.randomUUID(),
      "x-hub-signature-256": `sha256=${createHmac("sha256", this.hook.secret).update(body).digest("hex")}`,
    };
    const answer = await fetch(this.hook.url, { method: "POST", headers, body });
    return answer.json();
  }

  end() {
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}

/** A page that says so. */
export const says = (text) => ({ "index.html": `<!doctype html><html lang="en"><title>${text}</title><link rel="icon" href="data:,"><h1>${text}</h1>\n` });
