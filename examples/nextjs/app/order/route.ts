import { serve } from "@perdure/adapters/nextjs";
import { fulfil, orderSchema, undo } from "@perdure/example-shared/order";
import { openShop } from "@perdure/example-shared/shop";

const shop = openShop({ write: (undone) => console.log(`undone: ${JSON.stringify(undone)}`) });

/** The workflow's endpoint: here the engine delivers. */
export const { POST } = serve(fulfil(shop), { schema: orderSchema, failureFunction: undo(shop) });
