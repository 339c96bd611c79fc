const PATHS = {
  check: "M5 12.5l4.5 4.5L19 7.5",
  cross: "M7 7l10 10M17 7L7 17",
  play: "M8 5.5v13l10.5-6.5z",
  clock: "M12 7v5.2l3.2 2M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z",
  retry: "M20 12a8 8 0 1 1-2.6-5.9M20 3.5V8h-4.5",
  undo: "M8.5 14.5L4 10l4.5-4.5M4 10h10a6 6 0 0 1 0 12h-3",
  stop: "M5.5 5.5l13 13M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z",
  flag: "M6 21V4.5M6 5c4-2.5 8 2.5 12 0v9c-4 2.5-8-2.5-12 0",
  inbox: "M4 13.5L7 5h10l3 8.5V19H4zM4 13.5h4.5l1.5 2.5h4l1.5-2.5H20",
  list: "M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01",
  bolt: "M13 3L5 13.5h6L10.5 21 19 10.5h-6z",
  queue: "M4 5h16v4H4zM4 12h16M4 16h16M4 20h10",
  gauge: "M4.5 18a9 9 0 1 1 15 0M12 14.5L16 9",
  calendar: "M4 6h16v14H4zM4 10.5h16M8 3.5V7M16 3.5V7",
  group: "M5 6.5h5v4H5zM14 4h5v4h-5zM14 12h5v4h-5zM10 8.5h2M12 6v8M12 6h2M12 14h2",
  shield: "M12 3l7.5 3v5.5c0 4.5-3 8-7.5 9.5-4.5-1.5-7.5-5-7.5-9.5V6z",
  search: "M16 16l4.5 4.5M18 11a7 7 0 1 1-14 0 7 7 0 0 1 14 0z",
  copy: "M9 9h11v11H9zM15 9V4H4v11h5",
  down: "M6 9.5l6 6 6-6",
  right: "M9.5 6l6 6-6 6",
  plus: "M12 5v14M5 12h14",
  trash: "M5 7h14M10 7V4.5h4V7M7 7l1 13h8l1-13",
  pause: "M8 5.5v13M16 5.5v13",
  pin: "M9 4h6l-1 6 3.5 3.5h-11L10 10zM12 13.5V20",
  edit: "M4 20l1-4.5L16 4.5 19.5 8 8.5 19z",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5z",
  exit: "M14 4h5v16h-5M3.5 12H15M11.5 8l4 4-4 4",
  link: "M10 14a4 4 0 0 0 5.700 0l3-3A4 4 0 0 0 13 5.300l-1 1M14 10a4 4 0 0 0-5.700 0l-3 3A4 4 0 0 0 11 18.700l1-1",
  alert: "M12 4L2.5 20h19zM12 10v4.5M12 17.5h.01",
} as const;

export type IconName = keyof typeof PATHS;

/** An icon beside a word: screen readers skip it. */
export function Icon({ name, size = 16 }: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
