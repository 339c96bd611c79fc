export const POST = async (request: Request): Promise<Response> => new Response(await request.text());
