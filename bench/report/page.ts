const BEGIN = '<!-- figures: begin -->';
const END = '<!-- figures: end -->';

/** A page in which the figures take the place of the last ones; where it has no marks, nothing but the figures. */
export function pageWith(figures: string, page: string | undefined): string {
  const from = page?.indexOf(BEGIN) ?? -1;
  const to = page?.indexOf(END) ?? -1;
  if (page === undefined || from < 0 || to < from) return figures;
  return `${page.slice(0, from + BEGIN.length)}\n\n${figures}\n${page.slice(to)}`;
}
