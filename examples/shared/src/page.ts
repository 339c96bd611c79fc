import { badOrder, goodOrder } from "./orders.ts";

/** Two buttons, and how far what they have started is. */
export const page = `<!doctype html>
<html lang="en">
  <meta charset="utf-8">
  <title>An order</title>
  <style>
    body { font: 16px/1.5 system-ui; margin: 3rem auto; max-width: 42rem; padding: 0 1rem }
    button { font: inherit; padding: .4rem .8rem }
    pre { background: #8881; overflow: auto; padding: 1rem; white-space: pre-wrap }
  </style>
  <h1>An order</h1>
  <button data-order='${JSON.stringify(goodOrder)}'>One that is fulfilled</button>
  <button data-order='${JSON.stringify(badOrder)}'>One whose card is declined</button>
  <pre id="progress">Press a button.</pre>
  <script type="module">
    const progress = document.getElementById("progress");
    const rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

    async function place(order) {
      const answer = await fetch("/orders", { method: "POST", body: order });
      if (!answer.ok) throw new Error(await answer.text());
      const { workflowRunId } = await answer.json();
      for (;;) {
        const run = await (await fetch("/orders/" + workflowRunId)).json();
        progress.textContent = workflowRunId + "\\n" + lines(run).join("\\n");
        if (run.ended) return;
        await rest(200);
      }
    }

    function lines({ state, steps, result, failure }) {
      const shown = steps.map((step) => "  " + step.name + ": " + step.state + (step.failures ? ", failed " + step.failures + " times" : ""));
      if (failure) shown.push("  failure function: " + failure.state, "  " + (failure.returned ?? ""));
      return [...shown, state, result ?? ""];
    }

    for (const button of document.querySelectorAll("button")) {
      button.onclick = () => place(button.dataset.order).catch((error) => { progress.textContent = String(error); });
    }
  </script>
</html>
`;
