"""List the sample texts: invented open government news in several languages."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """A headline, a sentence and a hashtag in one language (BCP 47)."""

    lang: str
    title: str
    sentence: str
    tag: str


TEXTS = tuple(
    Text(*row)
    for row in (
        (
            "en",
            "City budget opens for comment",
            "Residents can question every line until the end of the month.",
            "OpenGov",
        ),
        (
            "es",
            "Presupuesto participativo en marcha",
            "La ciudadanía vota los proyectos de su barrio.",
            "GobiernoAbierto",
        ),
        (
            "en",
            "Beneficial owners register published",
            "The names behind 40,000 companies are now public.",
            "transparency",
        ),
        ("fr", "Consultation sur le plan d'action", "Vos contributions sont publiées avec nos réponses.", "GouvOuvert"),
        (
            "en",
            "Audit office shows its working papers",
            "Each finding links to the evidence behind it.",
            "accountability",
        ),
        ("pt", "Dados abertos de transporte", "Horários e atrasos dos ônibus em formato aberto.", "GovernoAberto"),
        ("en", "Parliament streams committee hearings", "Transcripts and votes follow within a day.", "OpenParliament"),
        ("id", "Portal pengaduan warga diluncurkan", "Setiap laporan mendapat jawaban dalam tujuh hari.", "OpenGov"),
        ("en", "Schools data released", "Class sizes, spending & results, school by school.", "opendata"),
        ("es", "Contratos públicos en línea", "Cada licitación se publica en datos abiertos.", "ContratacionAbierta"),
        ("en", "Citizens' assembly on clean air", "Ninety people drawn by lot start work this week.", "participation"),
        (
            "fr",
            "Les marchés publics en données ouvertes",
            "Montants, titulaires et avenants sont en ligne.",
            "opendata",
        ),
        ("en", "Water quality map goes live", "Samples from 1,200 wells, updated each morning 💧", "opendata"),
        ("pt", "Orçamento participativo digital", "Moradores escolhem as obras do próximo ano.", "participacao"),
        (
            "en",
            "Asset declarations made searchable",
            "Officials' declarations since 2019 are in one place.",
            "anticorruption",
        ),
        (
            "it",
            "Consultazione sul piano nazionale",
            "Le proposte dei cittadini sono pubblicate in chiaro.",
            "OpenGovItaly",
        ),
        (
            "en",
            "Open contracting saves a third",
            "Hospitals paid less once prices could be compared.",
            "OpenContracting",
        ),
        ("es", "Semana de la administración abierta", "Talleres y visitas en cuarenta ciudades.", "SemanaAbierta"),
        ("en", "Youth panel reviews the action plan", "Their twelve questions will be answered in public.", "OpenGov"),
        ("fr", "Budget citoyen : les résultats", "Une page par ministère, en langage clair.", "transparence"),
        ("en", "Freedom of information in 48 hours", "A pilot answers simple requests within two days.", "FOI"),
        ("id", "Anggaran desa dibuka", "Warga dapat memeriksa belanja desa mereka.", "transparansi"),
        ("en", "Justice statistics by district", "Waiting times at courts are published every quarter.", "OpenJustice"),
        ("pt", "Portal da transparência renovado", "Pesquisa mais simples e dados para baixar.", "transparencia"),
        ("en", "Civic space report out", "Thirty laws on assembly and association compared.", "civicspace"),
        ("de", "Beteiligung am Klimaplan", "Alle Stellungnahmen stehen mit Antwort im Netz.", "OpenGov"),
        ("en", "Extractives payments disclosed", "What mines pay, project by project.", "transparency"),
        (
            "es",
            "Rendición de cuentas del primer semestre",
            "Metas, avances y retrasos explicados.",
            "RendicionDeCuentas",
        ),
        ("en", "Algorithms register started", "Which decisions software helps to make, and how.", "innovation"),
        (
            "fr",
            "Un registre des représentants d'intérêts",
            "Chaque rendez-vous est déclaré sous quinze jours.",
            "transparence",
        ),
        ("en", "Hackathon on health data", "Teams build tools that clinics asked for 🏥", "innovation"),
        ("pt", "Consulta sobre governo digital", "Contribuições abertas até sexta-feira.", "GovernoAberto"),
        ("en", "Land titles on an open map", "Communities check boundaries before they are final.", "opendata"),
        ("id", "Musyawarah rencana aksi", "Masukan dari dua puluh kota diterbitkan.", "PemerintahanTerbuka"),
        ("en", "Independent review: 31 of 42 commitments done", "Three were not started; the report says why.", "OGP"),
        ("it", "Bilanci dei comuni confrontati", "Le spese di ogni servizio in una sola tabella.", "trasparenza"),
        ("en", "Whistleblower channel opens", "Reports go to an independent office.", "anticorruption"),
        ("es", "Laboratorio de innovación pública", "Equipos mixtos rediseñan los trámites.", "innovacion"),
        ("en", "Emergency spending tracked", "Each purchase is online within five days.", "accountability"),
        ("fr", "Atelier sur la participation locale", "Trente communes partagent leurs méthodes.", "participation"),
        ("en", "Plain language law passed", "Forms must be tested with those who fill them in.", "OpenGov"),
        ("de", "Haushaltsdaten zum Nachrechnen", "Einnahmen < Ausgaben? Die Tabellen sind offen.", "OpenData"),
    )
)
