export const POST = async ({ request }: { request: Request }): Promise<Response> => new Response(await request.text());
