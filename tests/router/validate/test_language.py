import pytest

from router.validate.language import language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("The refund was sent to your account on Monday.", "en"),
        ("Die Erstattung wurde am Montag auf Ihr Konto überwiesen.", "de"),
        ("Le remboursement a été envoyé sur votre compte lundi.", "fr"),
        ("El reembolso se envió a su cuenta el lunes por la mañana.", "es"),
        ("Il rimborso è stato inviato sul suo conto lunedì.", "it"),
        ("O reembolso foi enviado para a sua conta na segunda-feira.", "pt"),
        ("De terugbetaling is maandag naar uw rekening gestuurd.", "nl"),
        ("Återbetalningen skickades till ditt konto och det är klart.", "sv"),
        ("Zwrot został wysłany na konto i nie jest to pomyłka.", "pl"),
        ("Para iadesi pazartesi günü hesaba gönderildi ve bu bir hata değil.", "tr"),
        ("退款已于星期一汇入您的账户。", "zh"),
        ("返金は月曜日にお客様の口座に送金されました。", "ja"),
        ("환불은 월요일에 귀하의 계좌로 송금되었습니다.", "ko"),
        ("Возврат был отправлен на ваш счёт в понедельник.", "ru"),
        ("تم إرسال المبلغ المسترد إلى حسابك يوم الاثنين.", "ar"),
        ("ההחזר נשלח לחשבון שלך ביום שני.", "he"),
        ("Η επιστροφή στάλθηκε στον λογαριασμό σας τη Δευτέρα.", "el"),
        ("धनवापसी सोमवार को आपके खाते में भेज दी गई।", "hi"),
        ("เงินคืนถูกส่งไปยังบัญชีของคุณแล้ว", "th"),
    ],
)
def test_a_sentence_tells_its_language(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize("text", ["", "OK", "12345", "ACME-1234", "Lorem ipsum dolor"])
def test_what_is_too_short_or_strange_is_not_told(text: str) -> None:
    assert language_of(text) is None
