export default function Page() {
  return <p>Start a run: npm run trigger</p>;
}
