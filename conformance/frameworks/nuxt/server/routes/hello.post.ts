export default defineEventHandler(async (event) => readRawBody(event));
