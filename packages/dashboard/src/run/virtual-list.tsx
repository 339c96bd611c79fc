import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

interface VirtualListProps {
  readonly count: number;
  readonly rowHeight: number;
  readonly label: string;
  readonly idOf: (at: number) => string;
  readonly selected: number | undefined;
  readonly onSelect: (at: number) => void;
  /** 1 for the run's own steps, 2 for those of a run that it has invoked, and so on. */
  readonly levelOf: (at: number) => number;
  /** Whether what is below a row is shown; undefined for a row with nothing below. */
  readonly isExpanded: (at: number) => boolean | undefined;
  /** The keys to the right and to the left open and close what is below a row. */
  readonly onExpand: (at: number, isOpen: boolean) => void;
  readonly row: (at: number) => ComponentChildren;
}

/** Rows above and below the visible ones that are rendered, too. */
const MARGIN = 10;

/** A list of rows of one height. Only the visible ones are in the document, so that 10 000 rows scroll smoothly. */
export function VirtualList(props: VirtualListProps) {
  const { count, rowHeight, label, idOf, selected, onSelect, levelOf, isExpanded, onExpand, row } = props;
  const ref = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  useEffect(() => {
    const list = ref.current;
    if (!list) return undefined;
    const measure = (): void => setView({ top: list.scrollTop, height: list.clientHeight });
    const observer = new ResizeObserver(measure);
    observer.observe(list);
    list.addEventListener("scroll", measure, { passive: true });
    return () => {
      observer.disconnect();
      list.removeEventListener("scroll", measure);
    };
  }, []);
  const first = Math.max(0, Math.floor(view.top / rowHeight) - MARGIN);
  const end = Math.min(count, Math.ceil((view.top + view.height) / rowHeight) + MARGIN);

  const select = (at: number): void => {
    const list = ref.current;
    const to = Math.max(0, Math.min(count - 1, at));
    if (list) {
      const top = to * rowHeight;
      if (top < list.scrollTop) list.scrollTop = top;
      const bottom = top + rowHeight - list.clientHeight;
      if (bottom > list.scrollTop) list.scrollTop = bottom;
    }
    onSelect(to);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const at = selected ?? -1;
    const page = Math.max(1, Math.floor(view.height / rowHeight) - 1);
    const moves: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: count - 1,
    };
    const to = moves[event.key];
    if (to !== undefined) select(to);
    else if (event.key === "ArrowRight" || event.key === "ArrowLeft")
      onExpand(at, event.key === "ArrowRight");
    else return;
    event.preventDefault();
  };

  const rows = [];
  for (let at = first; at < end; at++) {
    rows.push(
      <div
        key={idOf(at)}
        id={idOf(at)}
        role="treeitem"
        aria-level={levelOf(at)}
        aria-expanded={isExpanded(at)}
        tabIndex={-1}
        aria-selected={at === selected}
        aria-posinset={at + 1}
        aria-setsize={count}
        class="virtual-row"
        style={{ transform: `translateY(${at * rowHeight}px)`, height: `${rowHeight}px` }}
        onClick={() => onSelect(at)}
        onKeyDown={onKeyDown}
      >
        {row(at)}
      </div>,
    );
  }
  return (
    <div
      ref={ref}
      class="virtual"
      role="tree"
      aria-label={label}
      tabIndex={0}
      aria-activedescendant={selected === undefined ? undefined : idOf(selected)}
      onKeyDown={onKeyDown}
    >
      <div class="virtual-space" style={{ height: `${count * rowHeight}px` }}>
        {rows}
      </div>
    </div>
  );
}
