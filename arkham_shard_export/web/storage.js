// What the browser keeps for the page, for this tab or for good. One that keeps nothing is asked again next time.
export const tab = kept(() => sessionStorage);
export const machine = kept(() => localStorage);

function kept(storage) {
  return {
    get(key) {
      try {
        return storage().getItem(key);
      } catch {
        return null;
      }
    },
    /** null forgets. */
    set(key, value) {
      try {
        if (value === null) storage().removeItem(key);
        else storage().setItem(key, value);
      } catch {
        // Full, or not allowed.
      }
    },
  };
}

/** A kept JSON value; `otherwise` where there is none, or it is not what was written. */
export function parsed(text, otherwise) {
  try {
    return JSON.parse(text) ?? otherwise;
  } catch {
    return otherwise;
  }
}
