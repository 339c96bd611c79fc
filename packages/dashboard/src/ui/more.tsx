import { Button } from "./button.tsx";

interface MoreProps {
  readonly pages: { readonly hasMore: boolean; readonly more: () => Promise<void> };
}

/** The end of a list by pages. */
export function More({ pages }: MoreProps) {
  return pages.hasMore ? (
    <p class="more">
      <Button onClick={pages.more} icon="down">
        Show more
      </Button>
    </p>
  ) : null;
}
