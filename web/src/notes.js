// What was done and what was refused, for the corner of the page and for screen readers.
import { reactive } from 'vue';

export const notes = reactive([]);
let serial = 0;

export function note(text, isBad = false) {
  const n = { id: ++serial, text, isBad };
  notes.push(n);
  setTimeout(() => notes.splice(notes.findIndex(o => o.id === n.id), 1), isBad ? 10000 : 4000);
}

// Does it, and tells when it was refused. True: it was done.
export async function tried(what, done) {
  try {
    await what();
    if (done)
      note(done);
    return true;
  } catch (e) {
    note(e.message, true);
    return false;
  }
}
