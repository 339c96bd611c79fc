import { Client } from "@perdure/core";
import type { Order } from "@perdure/example-shared/order";
import { badOrder, delivery, goodOrder } from "@perdure/example-shared/orders";
import { headers } from "next/headers";
import { redirect } from "next/navigation";

/**
 * Starts a run of the workflow, and leads to the page that shows its progress. Two things are left to a real shop: to ask who
 * somebody is, and to know its own address instead of taking the client's word for it.
 */
async function place(order: Order) {
  "use server";
  const url = `http://${(await headers()).get("Host")}/order`;
  const { workflowRunId } = await new Client().trigger({ url, body: order, ...delivery });
  redirect(`/orders/${workflowRunId}`);
}

export default function Page() {
  return (
    <main>
      <h1>An order</h1>
      <form action={place.bind(null, goodOrder)}>
        <button type="submit">One that is fulfilled</button>
      </form>
      <form action={place.bind(null, badOrder)}>
        <button type="submit">One whose card is declined</button>
      </form>
    </main>
  );
}
