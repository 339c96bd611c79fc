import { useState } from "preact/hooks";
import type { ApiError } from "../api/http.ts";
import { logIn } from "../api/session.ts";
import { Field } from "../ui/dialog.tsx";
import { Icon } from "../ui/icon.tsx";

/** Asks for a token of the engine. */
export function LoginPage() {
  const [error, setError] = useState<string>();
  const [busy, setBusy] = useState(false);
  const submit = async (event: SubmitEvent & { currentTarget: HTMLFormElement }): Promise<void> => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    try {
      await logIn(String(form.get("token")), String(form.get("name")));
    } catch (cause) {
      setError((cause as ApiError).message);
      setBusy(false);
    }
  };
  return (
    <main id="main" class="login">
      <form onSubmit={submit}>
        <h1>Perdure</h1>
        <p class="muted">
          Log in with a token of this engine. A read-only token sees everything and changes nothing.
        </p>
        <Field label="Token" error={error}>
          {(id) => (
            <input
              id={id}
              name="token"
              type="password"
              autocomplete="current-password"
              required
              class="mono"
            />
          )}
        </Field>
        <Field label="Your name" hint="For the audit log. You may leave it empty.">
          {(id) => <input id={id} name="name" autocomplete="username" maxLength={100} />}
        </Field>
        <button type="submit" class="button is-primary" disabled={busy}>
          <Icon name="exit" />
          <span>Log in</span>
        </button>
      </form>
    </main>
  );
}
