// @ts-check
// Entry. Everything here improves pages that already work without it.
import "./forms.js";
import "./time.js";
import "./live.js";
