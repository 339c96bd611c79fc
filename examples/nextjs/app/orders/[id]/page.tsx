import { Client } from "@perdure/core";
import { progressOf } from "@perdure/example-shared/progress";
import Link from "next/link";
import { notFound } from "next/navigation";
import { Refresh } from "./refresh.tsx";

/** How far a run is, as the engine has it on record. */
export default async function Page({ params }: { readonly params: Promise<{ readonly id: string }> }) {
  const { id } = await params;
  const run = await new Client().runs.get(id);
  if (!run) notFound();
  const { state, steps, result, failure, ended } = progressOf(run);
  return (
    <main>
      <h1>{state}</h1>
      <ol>
        {steps.map(({ name, state, failures }) => (
          <li key={name}>
            {name}: {state}
            {failures > 0 && `, failed ${failures} times`}
          </li>
        ))}
      </ol>
      {failure && (
        <p>
          failure function: {failure.state} {failure.returned}
        </p>
      )}
      {result && <p>{result}</p>}
      {ended ? <Link href="/">Another one</Link> : <Refresh />}
    </main>
  );
}
