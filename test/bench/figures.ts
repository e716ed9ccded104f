/** What a benchmark found: figures, each beside what it is to reach. */
export interface Figure {
  readonly what: string
  readonly value: number
  readonly unit: string
  readonly limit: number
  readonly better: "more" | "less"
}

export const reaches = ({ better, limit, value }: Figure): boolean => better === "more" ? value >= limit : value < limit

export class Figures {
  readonly all: Array<Figure> = []

  add(what: string, value: number, unit: string, better: "more" | "less", limit: number): void {
    this.all.push({ what, value, unit, limit, better })
    console.log(`   ${what}: ${value.toFixed(2)} ${unit}`)
  }

  print(): void {
    console.table(this.all.map((figure) => ({
      what: figure.what,
      measured: `${figure.value.toFixed(2)} ${figure.unit}`,
      reach: `${figure.better === "more" ? ">=" : "<"} ${figure.limit} ${figure.unit}`,
      ok: reaches(figure) ? "yes" : "NO"
    })))
  }
}
