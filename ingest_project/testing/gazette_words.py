"""What made gazettes are written with: towns, official prose, passages that themes ask for.

Texts only; what files they become is gazette_files.py's. Town names are real ones, their numbers are made up
but for their form (two digits of the state, a running number, a check digit).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from random import Random

ASSOCIATION_SUFFIX = "00000"


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split(","))


_ALAGOAS = _listed(
    "Água Branca,Anadia,Arapiraca,Atalaia,Barra de Santo Antônio,Barra de São Miguel,Batalha,Belém,Belo "
    "Monte,Boca da Mata,Branquinha,Cacimbinhas,Cajueiro,Campo Alegre,Campo Grande,Canapi,Capela,"
    "Carneiros,Chã Preta,Coité do Nóia,Colônia Leopoldina,Coqueiro Seco,Coruripe,Delmiro Gouveia,Dois "
    "Riachos,Feira Grande,Feliz Deserto,Flexeiras,Girau do Ponciano,Ibateguara,Igaci,Igreja Nova,Inhapi,"
    "Jacaré dos Homens,Jacuípe,Japaratinga,Jaramataia,Joaquim Gomes,Jundiá,Junqueiro,Lagoa da Canoa,"
    "Limoeiro de Anadia,Maceió,Major Isidoro,Maragogi,Maravilha,Marechal Deodoro,Maribondo,Mar Vermelho,"
    "Mata Grande,Matriz de Camaragibe,Messias,Minador do Negrão,Monteirópolis,Murici,Novo Lino,Olho "
    "d'Água das Flores,Olho d'Água do Casado,Olivença,Ouro Branco,Palestina,Palmeira dos Índios,Pão de "
    "Açúcar,Passo de Camaragibe,Penedo,Piaçabuçu,Pilar,Pindoba,Piranhas,Porto Calvo,Porto de Pedras,"
    "Quebrangulo,Rio Largo,Roteiro,Santana do Ipanema,São José da Laje,São Miguel dos Campos,São "
    "Sebastião,Senador Rui Palmeira,Tanque d'Arca,Traipu,União dos Palmares,Viçosa"
)
_BAHIA = _listed(
    "Alagoinhas,Barreiras,Cachoeira,Candeias,Feira de Santana,Ilhéus,Itabuna,Jacobina,Jequié,Juazeiro,"
    "Lauro de Freitas,Paulo Afonso,Porto Seguro,Salvador,Santo Amaro,Serrinha,Valença,Vitória da "
    "Conquista"
)
_MINAS = _listed(
    "Araxá,Barbacena,Belo Horizonte,Betim,Contagem,Diamantina,Divinópolis,Formiga,Itabira,Juiz de Fora,"
    "Lavras,Mariana,Montes Claros,Ouro Preto,Patos de Minas,Sabará,Tiradentes,Uberaba,Uberlândia,Viçosa"
)
_STATES = (
    ("27", "AL", "Alagoas", _ALAGOAS),
    ("29", "BA", "Bahia", _BAHIA),
    ("31", "MG", "Minas Gerais", _MINAS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Territory:
    """A row of the table of territories."""

    id: str
    name: str
    state_code: str
    state: str

    @property
    def is_association(self) -> bool:
        return self.id.endswith(ASSOCIATION_SUFFIX)


@cache
def territories() -> tuple[Territory, ...]:
    """121 towns of three states; each state's association stands before its towns."""
    found = []
    for digits, code, state, names in _STATES:
        whole = Territory(id=f"{digits}{ASSOCIATION_SUFFIX}", name=state, state_code=code, state=state)
        found.append(whole)
        for number, name in enumerate(names, 1):
            found.append(Territory(id=_number(digits, number), name=name, state_code=code, state=state))
    return tuple(found)


@cache
def towns(state_code: str = "") -> tuple[Territory, ...]:
    """Those of one state, or all."""
    return tuple(
        one for one in territories() if not one.is_association and state_code in ("", one.state_code)
    )


def _number(state: str, number: int) -> str:
    """Seven digits, the last of them over the others."""
    digits = f"{state}{number:03d}0"
    doubled = [int(digit) * (1 + at % 2) for at, digit in enumerate(digits)]
    return f"{digits}{-sum(one // 10 + one % 10 for one in doubled) % 10}"


_SUBJECTS = _listed(
    "o servidor efetivo,a comissão permanente de vistoria,o fiscal da obra,a junta médica,o setor de "
    "transportes,a equipe de engenharia,o almoxarifado central,a gerência de recursos humanos,o chefe do "
    "gabinete,a coordenação de saúde bucal,o diretor do mercado público,a guarda municipal"
)
_VERBS = _listed(
    "fica designado para acompanhar,solicita a entrega imediata de,torna público o recebimento de,"
    "homologa em definitivo,concede prazo de dez dias para,registra sem ressalvas,encaminha para arquivo,"
    "autoriza o pagamento de,prorroga até o fim do exercício,dispensa o reconhecimento de firma em"
)
_OBJECTS = _listed(
    "os serviços de limpeza das vias,a reforma do ginásio de esportes,o fornecimento de merenda,a folha "
    "de diárias,os medicamentos da farmácia básica,a pavimentação da rua principal,as férias "
    "regulamentares,o adicional noturno,a locação de veículos,a manutenção da iluminação pública,o "
    "conserto da ponte de madeira,a feira livre de sábado"
)
_ENDINGS = _listed(
    "conforme consta do processo administrativo,com efeitos a contar da data de publicação,nos termos do "
    "parecer jurídico anexo,revogadas as disposições em contrário,por interesse da administração,"
    "observada a ordem de chegada,segundo o cronograma aprovado,à vista do relatório apresentado"
)

PASSAGES = {
    "Educação Ambiental": (
        "Art. 1º Fica criado o calendário de oficinas ao ar livre, em atenção à Política Nacional de "
        "Educação Ambiental, para que os moradores do entorno do parque ecológico conheçam as nascentes, "
        "as matas e os animais da região, com visitas guiadas em todos os meses do ano e inscrição "
        "gratuita na sede da reserva."
    ),
    "Saneamento": (
        "Considerando a Política Nacional de Resíduos Sólidos, o consórcio intermunicipal implantará a "
        "coleta seletiva porta a porta e o aterro sanitário regional, encerrando até dezembro o lixão a "
        "céu aberto e cadastrando as cooperativas de catadores que trabalham na triagem de papel, vidro, "
        "plástico e metal."
    ),
    "Políticas de Águas": (
        "O comitê da bacia hidrográfica do rio, no âmbito da Política Nacional de Recursos Hídricos, "
        "delibera sobre a outorga de captação para irrigação, a cobrança pelo uso da água e o "
        "enquadramento dos corpos hídricos, ouvidos os pescadores, os ribeirinhos e as associações de "
        "usuários dos açudes públicos."
    ),
    "Robótica": (
        "Aviso de licitação para a escola municipal: aquisição de conjuntos de robótica com placas "
        "arduino, sensores e motores, destinados aos laboratórios dos anos finais, incluindo a "
        "capacitação dos docentes, garantia de dois anos, assistência técnica no local e entrega em até "
        "trinta dias após a assinatura."
    ),
}
"""Subtheme -> a passage that its queries find; about 300 characters each, and found by no other subtheme."""

NEAR_MISSES = (
    "A campanha de vacinação dos cães e gatos começa na segunda-feira e o comitê agradece aos voluntários.",
    "O parque de vaquejada receberá nova pintura e a nacional política de filas preferenciais será mantida.",
    "Resíduos da poda foram retirados; sólidos argumentos do engenheiro convenceram o conselho da feira.",
)
"""Sentences with words of a theme's phrases that no query finds."""


def wrapped(text: str, width: int = 96) -> list[str]:
    """Lines of whole words, without regard to what textwrap does for prose: ten times as fast."""
    lines: list[str] = []
    line: list[str] = []
    room = width
    for word in text.split():
        if len(word) > room and line:
            lines.append(" ".join(line))
            line, room = [], width
        line.append(word)
        room -= len(word) + 1
    return [*lines, " ".join(line)] if line else lines


@cache
def _pool() -> tuple[tuple[str, ...], ...]:
    """Paragraphs as lines. Few enough to be made in a moment, enough for no two documents to be alike."""
    rng = Random("paragraphs")
    return tuple(
        tuple(wrapped(" ".join(_sentence(rng) for _ in range(rng.randint(2, 5))))) for _ in range(400)
    )


def _sentence(rng: Random) -> str:
    words = (rng.choice(_SUBJECTS), rng.choice(_VERBS), rng.choice(_OBJECTS), rng.choice(_ENDINGS))
    sentence = " ".join(words)
    return f"{sentence[0].upper()}{sentence[1:]}."


def paragraphs(rng: Random, count: int) -> list[Sequence[str]]:
    """Prose of an office, each paragraph as its lines."""
    return rng.choices(_pool(), k=count)


def code(rng: Random) -> str:
    """Eight hexadecimal digits, as associations sign each act."""
    return f"{rng.getrandbits(32):08X}"


def cnpj(rng: Random, *, valid: bool = True) -> str:
    """A company's number, written with its points; its check digits are right, or the last one is wrong."""
    digits = [rng.randrange(10) for _ in range(8)] + [0, 0, 0, 1]
    for weights in ((5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2), (6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)):
        rest = sum(digit * weight for digit, weight in zip(digits, weights, strict=True)) % 11
        digits.append(0 if rest < 2 else 11 - rest)
    if not valid:
        digits[-1] = (digits[-1] + 1) % 10
    text = "".join(map(str, digits))
    return f"{text[:2]}.{text[2:5]}.{text[5:8]}/{text[8:12]}-{text[12:]}"
